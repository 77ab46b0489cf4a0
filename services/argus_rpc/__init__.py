"""gRPC plumbing that all services share: errors with details, strict decoding, one lifecycle."""
