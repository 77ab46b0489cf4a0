"""The worker: the diffusion engine behind gRPC."""
