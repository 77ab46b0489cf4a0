"""A page that shows a cluster, and draws with it; it knows routers by gRPC alone."""

import os

# The simulator is a process of its own, and gRPC's handlers of forks may end it before it begins;
# they are of use only to a child that goes on with its parent's channels. Read when gRPC is
# imported.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
