"""All that waits, in one line in the order of their ranks, as columns of numbers.

What is asked of many at once is asked of these: no question walks the entries. A sum over a column
costs a microsecond and some ten nanoseconds an entry; where several tenants wait, the order in
which they go costs some twenty microseconds more, once until something changes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")

NONE = -1
"""Instead of a level's index: not decided yet; takes no time."""

_QUEUE, _LEVEL, _QUICKEST, _SCALE, _DEADLINE, _DUE, _WORK, _LEAST, _BAND, _TENANT = range(10)
_COLUMNS = 10
_FIRST_ROOM = 64
_STRAINED = 0.5
"""Of the time between due and deadline: what may be used up rather than draw or serve badly."""


class Rank(NamedTuple):
    """Who goes first of one tenant: by band, then deadline, then arrival."""

    band: int
    """0 goes before 1, whosever they are."""
    deadline: float
    """On the caller's clock, in seconds."""
    arrival: int
    """Unique, rising: ties go to who came first."""


@dataclass(eq=False, kw_only=True)
class Entry(Generic[T]):
    """Something that waits."""

    rank: Rank
    item: T
    tenant: str = ""
    """Whose it is."""
    size: int = 0
    """Bytes that it keeps."""
    level: int = NONE
    """Index of the level that it shall be drawn at."""
    quickest: int = NONE
    """Index of the quickest level that whoever serves its queue may draw it at."""
    scale: float = 1.0
    """Times a level's seconds that it takes."""
    due: float = inf
    """When it shall be done: before the deadline, so that what goes wrong does not make it late."""


class Leeway(NamedTuple):
    """Time to spare of those who wait; infinite where nobody does, negative where there is none."""

    ample: float
    """Seconds of work that may go first before one of them is not done when due."""
    strained: float
    """The same where half of the time between due and deadline may be used up."""
    stretch: float
    """Times its least seconds that each of them, and who is served now, may take then."""


class Served(NamedTuple):
    """Who serves those that are asked about."""

    shares: NDArray[np.float64]
    """By queue: how much of what waits falls on the same servers."""
    slots: int
    busy: float
    first: float


class Tenants(NamedTuple):
    """Of those that wait; by number, and by band times their number plus number."""

    total: int
    weights: NDArray[np.float64]
    tags: NDArray[np.float64]
    """Where the next of each begins: `argus_core.fairness`."""


class Place(NamedTuple):
    """Where somebody stands, or would, of whom the others are asked."""

    rank: Rank
    tenant: int
    """Number."""
    tag: float
    """Where the tenant's next begins in that band."""
    weight: float


class Line:
    """See the module. Where one tenant waits its ranks are the order, and `tenants` None."""

    def __init__(self) -> None:
        self.ranks: list[Rank] = []
        self._columns: NDArray[np.float64] = np.empty((_COLUMNS, _FIRST_ROOM))
        self._start = 0
        """Where the first of the line stands: the line's head moves on as entries are taken."""
        self._seconds: NDArray[np.float64] = np.zeros(1)
        """By level; the last, of `NONE`, is 0."""
        self._sums: dict[int, tuple[list[float], list[float]]] = {}
        """Of the first so many, as long as nothing changes."""
        self._tags: NDArray[np.float64] | None = None
        """Where each begins on its tenant's account."""
        self._order: NDArray[np.intp] | None = None
        """In which they go."""

    def column(self, name: int) -> NDArray[np.float64]:
        """One number of each, in order."""
        return self._columns[name, self._start : self._start + len(self.ranks)]

    def add(self, entry: Entry[T], queue: int, tenant: int) -> None:
        """Put an entry in its place; its queue and tenant go by numbers."""
        self.touch()
        at = bisect_left(self.ranks, entry.rank)
        place = self._make_room(at)
        self.ranks.insert(at, entry.rank)
        level, quickest, scale = entry.level, entry.quickest, entry.scale
        work, least = scale * self._seconds[level], scale * self._seconds[quickest]
        deadline, due = entry.rank.deadline, min(entry.due, entry.rank.deadline)
        numbers = queue, level, quickest, scale, deadline, due, work, least, entry.rank.band, tenant
        self._columns[:, place] = numbers

    def touch(self) -> None:
        """Something has changed: what was summed holds no longer."""
        self._sums.clear()
        self._tags = self._order = None

    def remove(self, rank: Rank) -> None:
        """Take out who has this rank; it must be there."""
        self.touch()
        at, columns = bisect_left(self.ranks, rank), self._columns
        place, end = self._start + at, self._start + len(self.ranks)
        if at < len(self.ranks) - at:
            columns[:, self._start + 1 : place + 1] = columns[:, self._start : place]
            self._start += 1
        else:
            columns[:, place : end - 1] = columns[:, place + 1 : end]
        del self.ranks[at]

    def weigh(self, seconds: Sequence[float]) -> None:
        """Every level takes so long from now on."""
        self.touch()
        self._seconds = np.array([*seconds, 0.0])
        if not self.ranks:
            return
        scale = self.column(_SCALE)
        self.column(_WORK)[:] = scale * self._seconds[self._indices(_LEVEL)]
        self.column(_LEAST)[:] = scale * self._seconds[self._indices(_QUICKEST)]

    def hasten(self, quickest: Sequence[int]) -> None:
        """The quickest level of each is this from now on, in order."""
        self.touch()
        self.column(_QUICKEST)[:] = quickest
        scale = self.column(_SCALE)
        self.column(_LEAST)[:] = scale * self._seconds[self._indices(_QUICKEST)]

    def next_deadline(self) -> float:
        """The nearest of all; something must wait."""
        return float(self.column(_DEADLINE).min())

    def over(self, now: float) -> list[Rank]:
        """Whose deadline is over."""
        return [self.ranks[at] for at in np.flatnonzero(self.column(_DEADLINE) <= now)]

    def sums(self, rank: Rank | None, queues: int) -> tuple[list[float], list[float]]:
        """By queue: seconds of work before a rank, as settled and at the quickest."""
        end = len(self.ranks) if rank is None else bisect_left(self.ranks, rank)
        if not end:
            return [0.0] * queues, [0.0] * queues
        if end not in self._sums:
            self._sums[end] = self._sum(slice(end), queues)
        return self._sums[end]

    def sums_before(
        self, place: Place, tenants: Tenants, queues: int
    ) -> tuple[list[float], list[float]]:
        """The same of those who go before a place."""
        return self._sum(self._before(place, tenants), queues)

    def sums_of(
        self, tenant: int, rank: Rank | None, queues: int
    ) -> tuple[list[float], list[float]]:
        """The same of a tenant's own before a rank."""
        mine = self.column(_TENANT) == tenant
        if rank is not None:
            mine &= self.column(_BAND) <= rank.band
            mine[bisect_left(self.ranks, rank) :] = False
        return self._sum(mine, queues)

    def leeway(
        self,
        queues: NDArray[np.bool_],
        served: Served,
        now: float,
        behind: Place | None,
        *,
        tenants: Tenants | None,
        ignored: NDArray[np.bool_] | None,
    ) -> Leeway:
        """See `Queues.leeway`; queues and tenants go by numbers."""
        of, least = self._indices(_QUEUE), self.column(_LEAST)
        deadline, due = self.column(_DEADLINE), self.column(_DUE)
        counts = queues[of] & (deadline - least > now)
        if behind is not None and tenants is None:
            counts[: bisect_left(self.ranks, behind.rank)] = False
        elif behind is not None and tenants is not None:
            counts &= ~self._before(behind, tenants)
        if ignored is not None:
            counts &= ~ignored[self._indices(_TENANT)]
        if not counts.any():
            return Leeway(inf, inf, inf)
        if tenants is not None:
            order = self._ordered(tenants)
            of, least, counts = of[order], least[order], counts[order]
            deadline, due = deadline[order], due[order]
        return _leeway(of, least, deadline, due, counts, served=served, now=now)

    def _sum(
        self, chosen: slice | NDArray[np.bool_], queues: int
    ) -> tuple[list[float], list[float]]:
        of = self._indices(_QUEUE)[chosen]
        settled = np.bincount(of, weights=self.column(_WORK)[chosen], minlength=queues)
        least = np.bincount(of, weights=self.column(_LEAST)[chosen], minlength=queues)
        return settled.tolist(), least.tolist()

    def _before(self, place: Place, tenants: Tenants) -> NDArray[np.bool_]:
        """Who goes before: in a lower band, or on an account that begins before."""
        band, at = self.column(_BAND), bisect_left(self.ranks, place.rank)
        tags = self._tagged(tenants)
        same, own = band == place.rank.band, self.column(_TENANT) == place.tenant
        before = same[:at] & own[:at]
        tag = place.tag + float(self.column(_WORK)[:at].sum(where=before)) / place.weight
        earlier = tags < tag
        earlier[:at] |= tags[:at] == tag
        # Of its own by rank, as tags are sums and differ in the last digit.
        earlier[own] = False
        earlier[:at] |= before
        before_all: NDArray[np.bool_] = (band < place.rank.band) | (same & earlier)
        return before_all

    def _tagged(self, tenants: Tenants) -> NDArray[np.float64]:
        if self._tags is None:
            tenant = self._indices(_TENANT)
            key = self._indices(_BAND) * tenants.total + tenant
            order = np.argsort(key, kind="stable")
            own, keys = (self.column(_WORK) / tenants.weights[tenant])[order], key[order]
            before = np.cumsum(own) - own
            firsts = np.flatnonzero(np.diff(keys, prepend=-1))
            others = np.repeat(before[firsts], np.diff(firsts, append=len(keys)))
            self._tags = np.empty(len(keys))
            self._tags[order] = tenants.tags[keys] + before - others
        return self._tags

    def _ordered(self, tenants: Tenants) -> NDArray[np.intp]:
        if self._order is None:
            self._order = np.lexsort((self._tagged(tenants), self.column(_BAND)))
        return self._order

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
            roomy = np.empty((_COLUMNS, max(_FIRST_ROOM, 2 * length)))
            roomy[:, :length] = self._columns[:, self._start : self._start + length]
            self._columns, self._start = roomy, 0
        place, end = self._start + at, self._start + length
        self._columns[:, place + 1 : end + 1] = self._columns[:, place:end]
        return place


def _leeway(
    of: NDArray[np.intp],
    least: NDArray[np.float64],
    deadline: NDArray[np.float64],
    due: NDArray[np.float64],
    counts: NDArray[np.bool_],
    *,
    served: Served,
    now: float,
) -> Leeway:
    """Of columns in the order in which they go."""
    falls, slots = served.shares[of] * least, served.slots
    work = np.cumsum(falls) - falls + slots * least
    ample = slots * (due - now) - served.busy
    strained = ample + slots * _STRAINED * (deadline - due)
    needed = work + served.first
    stretch = np.divide(strained, needed, where=counts & (needed > 0), out=np.full_like(work, inf))
    return Leeway(
        ample=float((ample - work).min(where=counts, initial=inf)),
        strained=float((strained - work).min(where=counts, initial=inf)),
        stretch=float(stretch.min()),
    )
