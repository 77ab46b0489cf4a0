"""Redis's journal, as a follower wants it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from argus_latents.follow import Numbered, Page, Place
from argus_latents.store import Added, Change, Gone, Used
from argus_latents.wording import from_text

AT_ONCE = 256
"""Entries or changes told at a time, about."""

Ask = Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]


class RedisJournal:
    """Reads what the scripts write; `ask` bounds every call, and translates its errors."""

    def __init__(self, redis: Any, ask: Ask, prefix: str) -> None:
        self._redis, self._ask = redis, ask
        self._totals, self._entries = prefix + "totals", prefix + "entries"
        self._journal = prefix + "journal"

    async def place(self) -> Place:
        """Where it ends."""
        return _place(await self._ask(lambda: self._redis.hmget(self._totals, *_PLACE)))

    async def page(self, cursor: int | None) -> Page[int]:
        """Some of what there is; None begins."""
        following, found = await self._ask(
            lambda: self._redis.hscan(self._entries, cursor or 0, count=AT_ONCE)
        )
        entries = [entry for text in found.values() if (entry := from_text(text)) is not None]
        return Page(entries=entries, cursor=int(following) or None)

    async def since(self, place: Place) -> Sequence[Numbered] | None:
        """Some of what changed since; None where that is not known any more."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.hmget(self._totals, *_PLACE)
        pipe.xrange(self._journal, min=f"({place.number}-0", count=AT_ONCE)
        found, rows = await self._ask(pipe.execute)
        end = _place(found)
        numbers = [int(number.partition(b"-")[0]) for number, _ in rows]
        if end.generation != place.generation or _has_gap(place.number, numbers, end.number):
            return None
        changes = await self._changes([fields for _, fields in rows])
        return [
            Numbered(number=number, change=change)
            for number, change in zip(numbers, changes, strict=True)
        ]

    async def _changes(self, rows: Sequence[dict[bytes, bytes]]) -> list[Change | None]:
        added = [row[b"key"] for row in rows if row[b"kind"] == b"added"]
        texts: dict[bytes, bytes | None] = {}
        if added:
            found = await self._ask(lambda: self._redis.hmget(self._entries, added))
            texts = dict(zip(added, found, strict=True))
        return [_change(row, texts) for row in rows]


_PLACE = ("generation", "number")


def _place(found: Sequence[bytes | None]) -> Place:
    generation, number = found
    return Place(generation=(generation or b"").decode(), number=int(number or 0))


def _has_gap(known: int, numbers: Sequence[int], end: int) -> bool:
    """Whether changes after the one known are not there any more."""
    return numbers[0] != known + 1 if numbers else end != known


def _change(row: dict[bytes, bytes], texts: dict[bytes, bytes | None]) -> Change | None:
    key = row[b"key"].decode()
    match row[b"kind"]:
        case b"gone":
            return Gone(key=key)
        case b"used":
            return Used(key=key, step=int(row[b"step"]), at=float(row[b"at"]))
    text = texts[row[b"key"]]
    entry = None if text is None else from_text(text)
    # Gone since: the journal tells of that too.
    return None if entry is None else Added(entry=entry)
