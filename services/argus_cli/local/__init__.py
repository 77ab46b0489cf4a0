"""One machine: the services as processes that are watched, restarted and stopped together."""
