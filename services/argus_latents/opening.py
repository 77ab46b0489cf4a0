"""From the cluster's document to a store."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from argus_core.errors import InvalidRequest
from argus_core.spec import LatentStore
from argus_latents.directory import DirectoryStore
from argus_latents.store import Store

SECRET = "ARGUS_LATENT_SECRET"  # noqa: S105 - its name
"""Environment variable: what keys the checksums. All processes of a cluster must agree on it."""
URL = "ARGUS_LATENT_URL"
"""Environment variable: where the store is, if the document does not tell."""
_DIRECTORY, _REDIS = "directory:", ("redis://", "rediss://", "unix://")


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
        InvalidRequest: the URL names no store, or is told nowhere.
    """
    if secret is None:
        secret = os.environ.get(SECRET, "").encode()
    rest: dict[str, Any] = {
        "max_bytes": spec.max_bytes,
        "timeout": timeout,
        "clock": clock,
        "secret": secret,
    }
    url = spec.url or os.environ.get(URL, "")
    if not url:
        raise InvalidRequest.one("latentStore.url", f"is not given, and {URL} is not set")
    if url.startswith(_REDIS):
        return _open_redis(url, **rest)
    folder = url.removeprefix(_DIRECTORY)
    if folder in ("", url):
        raise InvalidRequest.one("latentStore.url", "must be directory:PATH or redis://HOST:PORT")
    return DirectoryStore(Path(folder).expanduser(), **rest)


def _open_redis(url: str, **rest: Any) -> Store:
    # A store in a directory needs no Redis client.
    from argus_latents.redis_store import RedisStore  # noqa: PLC0415

    try:
        return RedisStore(url, **rest)
    except ValueError as error:
        raise InvalidRequest.one("latentStore.url", "is no Redis URL") from error
