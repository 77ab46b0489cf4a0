"""Entries and stores for the tests of the latent store."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from argus_core.spec import LatentStore
from argus_latents import open_store
from argus_latents.redis_store import PREFIX
from argus_latents.store import Added, Change, Entry, Gone, Store, Used
from support import redis
from support.redis import RedisServer

SCOPE, FITS = "tenant-a", "variant=tiny;steps=4"


def entry_of(latents: dict[int, bytes], **changed) -> Entry:
    """An entry of these latents, but for what is changed."""
    now = time.time()
    fitting = {
        "key": secrets.token_hex(16),
        "scope": SCOPE,
        "compatibility": FITS,
        "steps": tuple(sorted(latents)),
        "embedding": b"\x00\x3c" * 8,
        "encoder": "none",
        "bytes": sum(map(len, latents.values())),
        "seconds_per_step": 0.25,
        "created": now,
        "expires": now + 3600.0,
    }
    return Entry(**{**fitting, **changed})


def some_latents(*steps: int, size: int = 64, seed: int = 0) -> dict[int, bytes]:
    """Random bytes, by step."""
    draw = random.Random(seed)
    return {step: draw.randbytes(size) for step in steps or (2,)}


@asynccontextmanager
async def redis_server(folder: Path, *options: str) -> AsyncIterator[RedisServer]:
    """A Redis that is ended with the test; skipped aloud where there is none."""
    if not redis.is_installed():
        pytest.skip(redis.MISSING)
    async with redis.redis_server(folder, *options) as server:
        yield server


def open_at(url: str, *, max_bytes: int = 2**24, timeout: float = 30.0, **rest: Any) -> Store:
    """A store; a busy machine may take long for what takes a millisecond otherwise."""
    return open_store(LatentStore(url=url, max_bytes=max_bytes), timeout=timeout, **rest)


class Following:
    """Follows a store's changes, and notes what it was told."""

    def __init__(self, store: Store) -> None:
        self.keys: set[str] = set()
        self.used: list[Used] = []
        self.told: list[Change] = []
        self.complete = 0
        """How often all of what there was has been told."""
        self.largest = 0
        """Batch."""
        self._task = asyncio.ensure_future(self._follow(store))

    async def _follow(self, store: Store) -> None:
        async for batch in store.changes():
            self.complete += not batch
            self.largest = max(self.largest, len(batch))
            for change in batch:
                self._note(change)

    def _note(self, change: Change) -> None:
        self.told.append(change)
        match change:
            case Added():
                self.keys.add(change.entry.key)
            case Gone():
                self.keys.discard(change.key)
            case Used():
                self.used.append(change)

    async def end(self) -> None:
        """Follow no longer; raises what ended it before."""
        self._task.cancel()
        done, _ = await asyncio.wait([self._task], timeout=30.0)
        assert done, f"does not end: {self._task.get_stack()}"
        with suppress(asyncio.CancelledError):
            await self._task


PATIENCE = 0.8
"""Of a store that is to be too slow, in seconds."""
HANGS = 60.0
"""Seconds, or longer, for which what it waits for does not answer."""


class Folder:
    """Spoils what a directory store wrote."""

    def __init__(self, path: Path) -> None:
        self.path, self.url = path, f"directory:{path}"

    def file(self, key, step=2):
        return self.path / key[:2] / f"{key}.{step}.latents"

    async def read(self, key, step=2):
        return self.file(key, step).read_bytes()

    async def write(self, key, frame, step=2):
        self.file(key, step).parent.mkdir(exist_ok=True)
        self.file(key, step).write_bytes(frame)


class Server:
    """Spoils what a Redis store wrote."""

    def __init__(self, server):
        self.url, self._redis = server.url, Redis.from_url(server.url)

    async def read(self, key, step=2):
        return await self._redis.hget(f"{PREFIX}latents:{key}", step)

    async def write(self, key, frame, step=2):
        await self._redis.hset(f"{PREFIX}latents:{key}", step, frame)


@asynccontextmanager
async def opened(url, **settings):
    """A store, closed in the end."""
    store = open_at(url, **settings)
    try:
        yield store
    finally:
        await store.close()


async def put_one(store, size=64, seed=0, **changed):
    latents = some_latents(2, size=size, seed=seed)
    entry = entry_of(latents, **changed)
    await store.put(entry, latents)
    return entry, latents[2]


async def got(store, entry, scope=SCOPE):
    return await store.get(entry.key, 2, scope=scope, compatibility=FITS)
