"""The router: admission, choice of level, queues, dispatch to workers, gRPC and HTTP fronts."""
