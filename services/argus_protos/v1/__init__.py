"""Generated from protos/argus/v1 by `make protos`."""
