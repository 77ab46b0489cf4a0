"""A ladder, embeddings, and a store in memory for the tests of neighbours."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from contextlib import asynccontextmanager, suppress

import numpy as np

from argus_core.spec import Level
from argus_latents.store import Added, Entry, Gone, StoreFailed, Usage, Used
from argus_predictor.neighbours import Neighbours, Wanted
from argus_predictor.neighbours.keeper import Pace

DIMENSIONS, ENCODER, SCOPE, FITS = 16, "letters", "tenant-a", "variant=v;steps=8"
QUICK = Pace(between=0.02, lease=1.0, weighing=0.0)
_numbers = itertools.count(1)


def level(name, skipped=0, *, steps=8, variant="v", quality=1.0):
    return Level(
        name=name, variant=variant, steps=steps, skipped_steps=skipped, quality=quality,
        seconds={"cpu": 1.0},
    )  # fmt: skip


LADDER = (level("full"), level("skip-2", 2, quality=0.95), level("skip-4", 4, quality=0.9))


def embedding(seed=0, *, like=None, share=0.0):
    """Of unit length; like another's but for a share of it."""
    row = np.random.default_rng(seed).normal(size=DIMENSIONS)
    row /= np.linalg.norm(row)
    if like is not None:
        row = (1 - share) * like + share * row
    return (row / np.linalg.norm(row)).astype(np.float32)


def entry(row, **changed):
    given = {
        "key": f"{next(_numbers):032x}", "scope": SCOPE, "compatibility": FITS, "steps": (2, 4),
        "embedding": row.astype("<f2").tobytes(), "encoder": ENCODER, "bytes": 100,
        "seconds_per_step": 0.1, "created": 0.0, "expires": 1e6,
    }  # fmt: skip
    return Entry(**{**given, **changed})


def neighbours(clock=lambda: 1.0, **changed):
    given = {"ladder": LADDER, "encoder": ENCODER, "dimensions": DIMENSIONS, "pace": QUICK}
    return Neighbours(**{**given, **changed}, clock=clock)


def start(known, row, step=4, *, scope=SCOPE, fits=FITS):
    """What a level that skips to this step would begin from."""
    around = known.around(row, scope)
    return around and around.starts({"it": Wanted(compatibility=fits, step=step)}).get("it")


@asynccontextmanager
async def following(known, store):
    task = asyncio.ensure_future(known.follow(store))
    try:
        yield known
        assert not task.done(), "it follows for ever"
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class MemoryStore:
    """A `Store` of entries without latents, shared by whoever holds it."""

    def __init__(self, *, max_bytes=10_000):
        self.misses = Counter()
        self.entries = {}
        self.failing = False
        self.leader = None
        self._max_bytes = max_bytes
        self._journals = set()

    async def put(self, entry, latents=None):
        self.entries[entry.key] = entry
        self._tell(Added(entry=entry))

    async def used(self, key, step, at=1.0):
        self._tell(Used(key=key, step=step, at=at))

    async def delete(self, keys):
        self._check()
        for key in keys:
            if self.entries.pop(key, None):
                self._tell(Gone(key=key))

    async def changes(self):
        journal = asyncio.Queue()
        self._journals.add(journal)
        yield [Added(entry=entry) for entry in self.entries.values()]
        yield []
        while True:
            yield [await journal.get()]

    async def lead(self, name, seconds):
        self._check()
        return self.leader in {None, self}

    async def usage(self):
        self._check()
        taken = sum(entry.bytes for entry in self.entries.values())
        return Usage(entries=len(self.entries), bytes=taken, max_bytes=self._max_bytes)

    async def close(self):
        """Nothing."""

    def _check(self):
        if self.failing:
            raise StoreFailed("it is told to fail")

    def _tell(self, change):
        for journal in self._journals:
            journal.put_nowait(change)
