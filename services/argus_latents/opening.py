"""From the cluster's document to a store."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from argus_core.errors import InvalidRequest
from argus_core.spec import LatentStore
from argus_latents.directory import DirectoryStore
from argus_latents.store import Store

SECRET = "ARGUS_LATENT_SECRET"  # noqa: S105 - its name
"""Environment variable: what keys the checksums. All processes of a cluster must agree on it."""
_DIRECTORY = "directory:"


def open_store(
    spec: LatentStore,
    *,
    timeout: float = 1.0,
    clock: Callable[[], float] = time.time,
    secret: bytes | None = None,
) -> Store:
    """The store of a document; nothing is read or written before it is first used.

    Args:
        spec: of the document.
        timeout: of each call, in seconds.
        clock: tells seconds since 1970; all processes' clocks must agree to a second or so.
        secret: keys the checksums; None takes the environment's.

    Raises:
        InvalidRequest: the URL names no store.
    """
    if secret is None:
        secret = os.environ.get(SECRET, "").encode()
    if spec.url.startswith(_DIRECTORY) and len(spec.url) > len(_DIRECTORY):
        return DirectoryStore(
            Path(spec.url.removeprefix(_DIRECTORY)).expanduser(),
            max_bytes=spec.max_bytes,
            timeout=timeout,
            clock=clock,
            secret=secret,
        )
    raise InvalidRequest.one("latentStore.url", "must be directory:PATH or redis://HOST:PORT")
