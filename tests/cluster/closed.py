"""Secrets of clusters whose routers ask for certificates and API keys."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from argus_rpc.keys import line
from security_support import Authority

ROUTER = {
    "tls": {"secretName": "tls", "clientCertificates": True},
    "apiKeys": {"secretName": "keys"},
}
"""The router of such a document, which names what `secrets` makes."""


def secret(name: str, **data: bytes) -> dict[str, Any]:
    """A Secret of these entries."""
    coded = {key: base64.b64encode(text).decode() for key, text in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": coded}


def secrets(authority: Authority, folder: Path, host: str, key: str) -> list[dict[str, Any]]:
    """What routers are closed with: their certificate for `host`, and the key of a tenant."""
    tls = authority.secret(folder, host)
    return [secret("tls", **tls), secret("keys", keys=line("shop", key).encode())]
