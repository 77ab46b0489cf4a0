"""Makes the clusters of this folder fixtures of the tests here."""

from __future__ import annotations

from cluster.installed import installed, loaded
from cluster.kubernetes import api_server, node

__all__ = ["api_server", "installed", "loaded", "node"]
