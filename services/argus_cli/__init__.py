"""The argus command, the Python client, and the local cluster."""
