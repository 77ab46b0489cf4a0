"""Waiting requests: a queue per variant, nearest deadline first, bounded in all.

Model: an entry is known by its rank, which orders it and is unique by its arrival number. An
entry waits in exactly one queue. The bound counts the entries of all queues together;
entries that come back from a lost worker pass it, since they were let in once already.

What waits is counted by level, not by seconds: how long a level takes is told by `weigh`, and holds
for those who wait already. Beside the queues all entries stand in one line, in the order of their
ranks, as columns of numbers; what is asked of many at once is asked of these. No question walks the
entries: a sum over a column costs a microsecond and some ten nanoseconds an entry.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from argus_core.errors import Exhausted

T = TypeVar("T")

NONE = -1
"""Instead of a level's index: not decided yet; takes no time."""

_QUEUE, _LEVEL, _QUICKEST, _SCALE, _DEADLINE, _DUE, _WORK, _LEAST = range(8)
_FIRST_ROOM = 64
_STRAINED = 0.5
"""Of the time between due and deadline: what may be used up rather than draw or serve badly."""


class Rank(NamedTuple):
    """Who goes first: by band, then deadline, then arrival."""

    band: int
    """0 goes before 1."""
    deadline: float
    """On the caller's clock, in seconds."""
    arrival: int
    """Unique, rising: ties go to who came first."""


@dataclass(eq=False, kw_only=True)
class Entry(Generic[T]):
    """Something that waits."""

    rank: Rank
    item: T
    level: int = NONE
    """Index of the level that it shall be drawn at."""
    quickest: int = NONE
    """Index of the quickest level that whoever serves its queue may draw it at."""
    scale: float = 1.0
    """Times a level's seconds that it takes."""
    due: float = inf
    """When it shall be done: before the deadline, so that what goes wrong does not make it late."""


class Ahead(NamedTuple):
    """Seconds of work that go before a rank, by variant that they wait for."""

    settled: Mapping[str, float]
    """As levels stand."""
    least: Mapping[str, float]
    """If all are drawn at their quickest."""


class Leeway(NamedTuple):
    """Time to spare of those who wait; infinite where nobody does, negative where there is none."""

    ample: float
    """Seconds of work that may go first before one of them is not done when due."""
    strained: float
    """The same where half of the time between due and deadline may be used up."""
    stretch: float
    """Times its least seconds that each of them, and who is served now, may take then."""


class _Served(NamedTuple):
    shares: NDArray[np.float64]
    """By queue: how much of what waits falls on the same servers."""
    slots: int
    busy: float
    first: float


class Queues(Generic[T]):
    """The queues of all variants, under one bound."""

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._numbers: dict[str, int] = {}
        """Of the queues, in the order in which they were first used."""
        self._queues: list[list[Rank]] = []
        self._waiting: dict[Rank, tuple[str, Entry[T]]] = {}
        self._line = _Line()

    def __len__(self) -> int:
        return len(self._waiting)

    def count(self, variant: str) -> int:
        """How many wait for a variant."""
        return len(self._queue(variant))

    def head(self, variant: str) -> Entry[T] | None:
        """Who goes next of those that wait for a variant."""
        queue = self._queue(variant)
        return self._waiting[queue[0]][1] if queue else None

    def entries(self, variant: str) -> Sequence[Entry[T]]:
        """All that wait for a variant, in order."""
        return [self._waiting[rank][1] for rank in self._queue(variant)]

    def variants(self) -> list[str]:
        """Variants that something waits for."""
        return [variant for variant, number in self._numbers.items() if self._queues[number]]

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
        """Have an entry wait for a variant; `require_room` first where it is new.

        How long its levels take must have been told (`weigh`).
        """
        assert entry.rank not in self._waiting, "waits already"
        if variant not in self._numbers:
            self._numbers[variant] = len(self._queues)
            self._queues.append([])
        insort(self._queue(variant), entry.rank)
        self._line.add(entry, self._numbers[variant])
        self._waiting[entry.rank] = variant, entry

    def pop(self, variants: Iterable[str]) -> Entry[T] | None:
        """Take the first in rank among those that wait for any of `variants`."""
        first = min((queue[0] for v in variants if (queue := self._queue(v))), default=None)
        return None if first is None else self.remove(first)

    def remove(self, rank: Rank) -> Entry[T] | None:
        """Take out an entry, wherever it waits; None where it does not."""
        variant, entry = self._waiting.pop(rank, ("", None))
        if entry is not None:
            queue = self._queue(variant)
            del queue[bisect_left(queue, rank)]
            self._line.remove(rank)
        return entry

    def take(self, variant: str) -> Sequence[Entry[T]]:
        """Take out all that wait for a variant, in order."""
        entries = self.entries(variant)
        for entry in entries:
            self.remove(entry.rank)
        return entries

    def expire(self, now: float) -> Sequence[Entry[T]]:
        """Take out all whose deadline is over, nearest first."""
        over = sorted(self._line.over(now), key=lambda rank: (rank.deadline, rank.arrival))
        return [entry for rank in over if (entry := self.remove(rank)) is not None]

    def next_deadline(self) -> float | None:
        """The nearest deadline of all; None where nothing waits."""
        return float(self._line.column(_DEADLINE).min()) if self._waiting else None

    def weigh(self, seconds: Sequence[float]) -> None:
        """Every level takes so long from now on, whoever waits at it."""
        self._line.weigh(seconds)

    def hasten(self, quickest: Callable[[str, T], int]) -> None:
        """Those who serve the queues may draw at other levels from now on.

        Args:
            quickest: of a variant and what waits for it, the new `Entry.quickest`.
        """
        for variant, entry in self._waiting.values():
            entry.quickest = quickest(variant, entry.item)
        self._line.hasten([self._waiting[rank][1].quickest for rank in self._line.ranks])

    def ahead(self, rank: Rank | None = None) -> Ahead:
        """Seconds of work that go before `rank`; all of it for None."""
        settled, least = self._line.sums(rank, len(self._queues))
        return Ahead(
            dict(zip(self._numbers, settled, strict=True)),
            dict(zip(self._numbers, least, strict=True)),
        )

    def leeway(
        self,
        variants: Sequence[str],
        shares: Mapping[str, float],
        *,
        slots: int,
        busy: float,
        now: float,
        first: float = 0.0,
        behind: Rank | None = None,
    ) -> Leeway:
        """Time to spare of those who wait for these variants, if all are drawn at their quickest.

        Args:
            variants: that they wait for, all served by the same.
            shares: by variant: how much of what waits for it falls on those who serve them.
            slots: entries that are served at once.
            busy: seconds of work that is under way.
            now: on the caller's clock.
            first: seconds, at its quickest, of one who is served now.
            behind: only those that come after this rank count; None for all.

        Who cannot be in time whatever happens does not count.
        """
        if not any(map(self._queue, variants)):
            return Leeway(inf, inf, inf)
        counts = np.array([name in variants for name in self._numbers])
        row = np.array([shares.get(name, 0.0) for name in self._numbers])
        served = _Served(row, slots, busy, first)
        return self._line.leeway(counts, served, now, behind)

    def _queue(self, variant: str) -> list[Rank]:
        number = self._numbers.get(variant)
        return [] if number is None else self._queues[number]


class _Line:
    """All that wait, in the order of their ranks, as columns of numbers."""

    def __init__(self) -> None:
        self.ranks: list[Rank] = []
        self._columns: NDArray[np.float64] = np.empty((8, _FIRST_ROOM))
        self._start = 0
        """Where the first of the line stands: the line's head moves on as entries are taken."""
        self._seconds: NDArray[np.float64] = np.zeros(1)
        """By level; the last, of `NONE`, is 0."""
        self._sums: dict[int, tuple[list[float], list[float]]] = {}
        """Of the first so many, as long as nothing changes."""

    def column(self, name: int) -> NDArray[np.float64]:
        return self._columns[name, self._start : self._start + len(self.ranks)]

    def add(self, entry: Entry[T], queue: int) -> None:
        self._sums.clear()
        at = bisect_left(self.ranks, entry.rank)
        place = self._make_room(at)
        self.ranks.insert(at, entry.rank)
        level, quickest, scale = entry.level, entry.quickest, entry.scale
        work, least = scale * self._seconds[level], scale * self._seconds[quickest]
        deadline, due = entry.rank.deadline, min(entry.due, entry.rank.deadline)
        self._columns[:, place] = queue, level, quickest, scale, deadline, due, work, least

    def remove(self, rank: Rank) -> None:
        self._sums.clear()
        at, columns = bisect_left(self.ranks, rank), self._columns
        place, end = self._start + at, self._start + len(self.ranks)
        if at < len(self.ranks) - at:
            columns[:, self._start + 1 : place + 1] = columns[:, self._start : place]
            self._start += 1
        else:
            columns[:, place : end - 1] = columns[:, place + 1 : end]
        del self.ranks[at]

    def weigh(self, seconds: Sequence[float]) -> None:
        self._sums.clear()
        self._seconds = np.array([*seconds, 0.0])
        scale = self.column(_SCALE)
        self.column(_WORK)[:] = scale * self._seconds[self._indices(_LEVEL)]
        self.column(_LEAST)[:] = scale * self._seconds[self._indices(_QUICKEST)]

    def hasten(self, quickest: Sequence[int]) -> None:
        self._sums.clear()
        self.column(_QUICKEST)[:] = quickest
        scale = self.column(_SCALE)
        self.column(_LEAST)[:] = scale * self._seconds[self._indices(_QUICKEST)]

    def over(self, now: float) -> list[Rank]:
        return [self.ranks[at] for at in np.flatnonzero(self.column(_DEADLINE) <= now)]

    def sums(self, rank: Rank | None, queues: int) -> tuple[list[float], list[float]]:
        """By queue: seconds of work before a rank, as settled and at the quickest."""
        end = len(self.ranks) if rank is None else bisect_left(self.ranks, rank)
        if end not in self._sums:
            of = self._indices(_QUEUE)[:end]
            settled = np.bincount(of, weights=self.column(_WORK)[:end], minlength=queues)
            least = np.bincount(of, weights=self.column(_LEAST)[:end], minlength=queues)
            self._sums[end] = settled.tolist(), least.tolist()
        return self._sums[end]

    def leeway(
        self, queues: NDArray[np.bool_], served: _Served, now: float, behind: Rank | None
    ) -> Leeway:
        of, least = self._indices(_QUEUE), self.column(_LEAST)
        deadline, due = self.column(_DEADLINE), self.column(_DUE)
        counts = queues[of] & (deadline - least > now)
        if behind is not None:
            counts[: bisect_left(self.ranks, behind)] = False
        if not counts.any():
            return Leeway(inf, inf, inf)
        falls, slots = served.shares[of] * least, served.slots
        work = np.cumsum(falls) - falls + slots * least
        ample = slots * (due - now) - served.busy
        strained = ample + slots * _STRAINED * (deadline - due)
        needed = work + served.first
        stretch = np.divide(
            strained, needed, where=counts & (needed > 0), out=np.full_like(work, inf)
        )
        return Leeway(
            ample=float((ample - work).min(where=counts, initial=inf)),
            strained=float((strained - work).min(where=counts, initial=inf)),
            stretch=float(stretch.min()),
        )

    def _indices(self, name: int) -> NDArray[np.intp]:
        return self.column(name).astype(np.intp)

    def _make_room(self, at: int) -> int:
        """Open a gap in the columns, and tell where."""
        length = len(self.ranks)
        if self._start and at < length - at:
            start, self._start = self._start, self._start - 1
            self._columns[:, start - 1 : start - 1 + at] = self._columns[:, start : start + at]
            return self._start + at
        if self._start + length == self._columns.shape[1]:
            roomy = np.empty((8, max(_FIRST_ROOM, 2 * length)))
            roomy[:, :length] = self._columns[:, self._start : self._start + length]
            self._columns, self._start = roomy, 0
        place, end = self._start + at, self._start + length
        self._columns[:, place + 1 : end + 1] = self._columns[:, place:end]
        return place
