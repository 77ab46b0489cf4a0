"""Letting go: what has expired, and what is of least benefit where room runs out.

Every replica forgets what has expired; one of them, by lease, has the store forget it too, and
keeps the store below its limit, so that there is always room for the next. A store that fails is
asked again at the next look.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from argus_latents.store import Store, StoreFailed, Usage
from argus_predictor.neighbours.catalogue import Catalogue

log = logging.getLogger(__name__)

ROLE = "keeper"
FULL, EASED = 0.9, 0.85
"""Share of the store's limit from which something goes, and to which."""
_AT_ONCE = 128
"""Entries deleted in one go."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How often the keeper looks."""

    between: float = 1.0
    """Seconds between two looks."""
    lease: float = 5.0
    """Seconds for which it leads once it may."""
    weighing: float = 10.0
    """Seconds between two sums over all entries; of a million, one takes 0.3 s."""


@dataclass(frozen=True, kw_only=True)
class Room:
    """What there is for new entries."""

    filled: float = 0.0
    """Share of the limit that is taken."""
    least: float = 0.0
    """Benefit of the best that had to go when something last had to."""
    bytes_each: float = 1.0
    """Of an entry, on average."""
    life: float = 3600.0
    """Seconds for which entries may be used, on average."""


class Keeper:
    """See the module."""

    def __init__(self, catalogue: Catalogue, *, pace: Pace, clock: Callable[[], float]) -> None:
        self.room = Room()
        self.heard_of: bool | None = None
        """Whether the store answered when it was last looked at; None before that."""
        self._catalogue, self._pace, self._clock = catalogue, pace, clock
        self._news = asyncio.Event()
        self._limit: int | None = None
        """Bytes; None while the store has not said."""
        self._told = False
        """Whether all that is in the store was told, so that the least of it is known."""
        self._owed: list[str] = []
        """Keys that expired, and that the store has not forgotten yet."""
        self._weighed = float("-inf")

    def heard(self, *, all_told: bool) -> None:
        """There is news; look now if that could fill the store."""
        self._told = self._told or all_told
        if self._limit is not None and self._catalogue.table.bytes >= self._limit * FULL:
            self._news.set()

    async def keep(self, store: Store, thread: ThreadPoolExecutor) -> None:
        """Look, again and again, for ever."""
        while True:
            try:
                await self._look(store, thread)
                self.heard_of = True
            except StoreFailed as error:
                self.heard_of = False
                log.debug("the latent store is not tidied now: %s", error)
            with contextlib.suppress(TimeoutError):
                # Not wait_for: until Python 3.12 it can lose a cancellation.
                async with asyncio.timeout(self._pace.between):
                    await self._news.wait()
            self._news.clear()

    async def _look(self, store: Store, thread: ThreadPoolExecutor) -> None:
        run = asyncio.get_running_loop().run_in_executor
        self._owed += await run(thread, self._catalogue.expire, self._clock())
        usage = await store.usage()
        self._limit = usage.max_bytes
        if not self._told:
            return
        await run(thread, self._weigh, usage)
        if not await store.lead(ROLE, self._pace.lease):
            self._owed.clear()
            return
        await self._delete(store, self._owed)
        self._owed.clear()
        if over := self._over(usage):
            doomed, _ = await run(thread, partial(self._catalogue.least, self._clock(), **over))
            await self._delete(store, doomed)
            await run(thread, self._catalogue.forget, doomed)
            log.info("let go of %d latents of least benefit", len(doomed))

    def _over(self, usage: Usage) -> dict[str, int]:
        """What is too much of what is known of; empty where nothing is.

        What the store holds beyond that is news on its way: to judge without it would let go of the
        best of what is known.
        """
        table, most = self._catalogue.table, self._catalogue.bounds.entries
        taken, entries = min(usage.bytes, table.bytes), min(usage.entries, len(table))
        if taken <= FULL * usage.max_bytes and entries <= FULL * most:
            return {}
        return {
            "bytes_over": math.ceil(taken - EASED * usage.max_bytes),
            "entries_over": math.ceil(entries - EASED * most),
        }

    def _weigh(self, usage: Usage) -> None:
        """See how much room there is, and now and then what would go for more."""
        now, table = self._clock(), self._catalogue.table
        filled = usage.bytes / usage.max_bytes
        room = replace(self.room, filled=filled)
        if len(table) and now - self._weighed >= self._pace.weighing:
            self._weighed = now
            margin = max(1, int((FULL - EASED) * usage.bytes))
            _, least = self._catalogue.least(now, bytes_over=margin, entries_over=0)
            room = replace(room, least=least, bytes_each=max(table.bytes / len(table), 1.0),
                           life=table.life())  # fmt: skip
        self.room = room

    @staticmethod
    async def _delete(store: Store, keys: Sequence[str]) -> None:
        for at in range(0, len(keys), _AT_ONCE):
            await store.delete(keys[at : at + _AT_ONCE])
