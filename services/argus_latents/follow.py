"""Following a journal: all that there is, then what changes, through failures, for ever.

Invariants: what a follower was told of as `Added` is told as `Gone` once it is not there, even
where the journal that said so was lost; nothing waits for a slow follower.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from argus_latents.store import Added, Change, Entry, Gone, StoreFailed

log = logging.getLogger(__name__)
C = TypeVar("C")

POLL = 0.2
"""Seconds between looks at a journal in which there was nothing new."""
_LONGEST = 5.0
"""Seconds between tries while the store fails: doubled from `POLL` up to this."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """In a journal; numbers rise by one within a generation."""

    generation: str
    number: int


@dataclass(frozen=True, kw_only=True)
class Numbered:
    """A change and its number; None for one that has been overtaken."""

    number: int
    change: Change | None


@dataclass(frozen=True, kw_only=True)
class Page(Generic[C]):
    """Some of what there is, and where it goes on; None: nowhere."""

    entries: Sequence[Entry]
    cursor: C | None


class Journal(Protocol[C]):
    """What is followed. All raise StoreFailed."""

    async def place(self) -> Place:
        """Where it ends."""

    async def page(self, cursor: C | None) -> Page[C]:
        """Some of what there is; None begins."""

    async def since(self, place: Place) -> Sequence[Numbered] | None:
        """Some of what changed since; None where that is not known any more."""


class Follower(Generic[C]):
    """Follows one journal; remembers the keys of what it told."""

    def __init__(self, journal: Journal[C]) -> None:
        self._journal = journal
        # 16 bytes each, not 32 digits: there may be a million.
        self._told: set[bytes] = set()

    async def changes(self) -> AsyncIterator[Sequence[Change]]:
        """See `Store.changes`."""
        pause = POLL
        while True:
            try:
                async for batch in self._anew():
                    yield batch
                    pause = POLL
            except StoreFailed as error:
                log.warning("cannot follow the latent store, trying again: %s", error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST)

    async def _anew(self) -> AsyncIterator[Sequence[Change]]:
        """All there is, then what changes, until the journal does not tell any more."""
        place = await self._journal.place()
        missing, cursor = set(self._told), None
        while True:
            page = await self._journal.page(cursor)
            if page.entries:
                missing -= {bytes.fromhex(entry.key) for entry in page.entries}
                yield self._noted([Added(entry=entry) for entry in page.entries])
            if (cursor := page.cursor) is None:
                break
        if missing:
            yield self._noted([Gone(key=key.hex()) for key in missing])
        yield []
        async for batch in self._since(place):
            yield batch

    async def _since(self, place: Place) -> AsyncIterator[Sequence[Change]]:
        while (news := await self._journal.since(place)) is not None:
            if not news:
                await asyncio.sleep(POLL)
                continue
            place = replace(place, number=news[-1].number)
            if batch := [item.change for item in news if item.change is not None]:
                yield self._noted(batch)

    def _noted(self, batch: Sequence[Change]) -> Sequence[Change]:
        for change in batch:
            if isinstance(change, Added):
                self._told.add(bytes.fromhex(change.entry.key))
            elif isinstance(change, Gone):
                self._told.discard(bytes.fromhex(change.key))
        return batch
