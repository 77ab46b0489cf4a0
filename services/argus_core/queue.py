"""Waiting requests: a queue per variant, nearest deadline first, bounded in all.

Model: an entry is known by its rank, which orders it and is unique by its arrival number. An
entry waits in exactly one queue. The bound counts the entries of all queues together;
entries that come back from a lost worker pass it, since they were let in once already.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from argus_core.errors import Exhausted

T = TypeVar("T")


class Rank(NamedTuple):
    """Who goes first: by band, then deadline, then arrival."""

    band: int
    """0 goes before 1."""
    deadline: float
    """On the caller's clock, in seconds."""
    arrival: int
    """Unique, rising: ties go to who came first."""


@dataclass(frozen=True, kw_only=True)
class Entry(Generic[T]):
    """Something that waits."""

    rank: Rank
    seconds: float
    """Worker time that it will take."""
    item: T


class DeadlineQueue(Generic[T]):
    """Entries in the order of their ranks; insertion and removal cost a memory move."""

    def __init__(self) -> None:
        self._ranks: list[Rank] = []
        self._entries: list[Entry[T]] = []
        self._seconds: list[float] = []

    def __len__(self) -> int:
        return len(self._ranks)

    def __iter__(self) -> Iterator[Entry[T]]:
        return iter(tuple(self._entries))

    @property
    def head(self) -> Entry[T] | None:
        """Who goes next."""
        return self._entries[0] if self._entries else None

    def push(self, entry: Entry[T]) -> None:
        """Add an entry, whose rank must not wait here already."""
        at = bisect_left(self._ranks, entry.rank)
        assert at == len(self._ranks) or self._ranks[at] != entry.rank, "waits here already"
        self._ranks.insert(at, entry.rank)
        self._entries.insert(at, entry)
        self._seconds.insert(at, entry.seconds)

    def remove(self, rank: Rank) -> Entry[T] | None:
        """Take out the entry of this rank; None where it does not wait here."""
        at = bisect_left(self._ranks, rank)
        if at == len(self._ranks) or self._ranks[at] != rank:
            return None
        del self._ranks[at], self._seconds[at]
        return self._entries.pop(at)

    def work_ahead(self, rank: Rank) -> float:
        """Seconds of work that go before `rank`."""
        return sum(self._seconds[: bisect_left(self._ranks, rank)])

    @property
    def work(self) -> float:
        """Seconds of work waiting."""
        return sum(self._seconds)


class Queues(Generic[T]):
    """The queues of all variants, under one bound."""

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._queues: dict[str, DeadlineQueue[T]] = {}
        self._where: dict[Rank, str] = {}

    def __len__(self) -> int:
        return len(self._where)

    def queue(self, variant: str) -> DeadlineQueue[T]:
        """A variant's queue."""
        return self._queues.setdefault(variant, DeadlineQueue())

    def variants(self) -> list[str]:
        """Variants that something waits for."""
        return [variant for variant, queue in self._queues.items() if queue]

    def require_room(self, count: int, *, retry_after: float | None = None) -> None:
        """Make sure that `count` more may wait.

        Raises:
            Exhausted: they may not; to be retried after so many seconds.
        """
        if len(self) + count > self._limit:
            raise Exhausted(
                f"the queue is full: {len(self)} of {self._limit} images wait",
                retry_after=retry_after,
            )

    def push(self, variant: str, entry: Entry[T]) -> None:
        """Have an entry wait for a variant; `require_room` first where it is new."""
        assert entry.rank not in self._where, "waits already"
        self.queue(variant).push(entry)
        self._where[entry.rank] = variant

    def pop(self, variants: Iterable[str]) -> Entry[T] | None:
        """Take the first in rank among those that wait for any of `variants`."""
        heads = [head for v in variants if (head := self.queue(v).head) is not None]
        if not heads:
            return None
        first = min(heads, key=lambda entry: entry.rank)
        return self.remove(first.rank)

    def remove(self, rank: Rank) -> Entry[T] | None:
        """Take out an entry, wherever it waits; None where it does not."""
        variant = self._where.pop(rank, None)
        return None if variant is None else self._queues[variant].remove(rank)

    def take(self, variant: str) -> Sequence[Entry[T]]:
        """Take out all that wait for a variant, in order."""
        entries = list(self.queue(variant))
        for entry in entries:
            self.remove(entry.rank)
        return entries

    def expire(self, now: float) -> Sequence[Entry[T]]:
        """Take out all whose deadline is over, nearest first."""
        over = sorted((rank for rank in self._where if rank.deadline <= now), key=_deadline)
        return [entry for rank in over if (entry := self.remove(rank)) is not None]

    def next_deadline(self) -> float | None:
        """The nearest deadline of all; None where nothing waits."""
        return min((rank.deadline for rank in self._where), default=None)


def _deadline(rank: Rank) -> tuple[float, int]:
    return rank.deadline, rank.arrival
