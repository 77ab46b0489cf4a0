"""The latent store: half-denoised latents of earlier prompts, in a directory or in Redis."""
