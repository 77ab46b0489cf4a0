"""Makes the clusters of `cluster.kubernetes` fixtures of the tests here."""

from __future__ import annotations

from cluster.kubernetes import api_server, node

__all__ = ["api_server", "node"]
