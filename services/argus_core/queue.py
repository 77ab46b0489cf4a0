"""Waiting requests: a queue per variant, fair between tenants, bounded in all.

Model: an entry is known by its rank, which is unique by its arrival number and orders what one
tenant has waiting: nearest deadline first. Between tenants the order is that of
`argus_core.fairness`, a band for itself. An entry waits in exactly one queue. The bounds count the
entries of all queues together, and their bytes; entries that come back from a lost worker pass
them, since they were let in once already.

What waits is counted by level, not by seconds: how long a level takes is told by `weigh`, and holds
for those who wait already. Beside the queues all entries stand in one line: `argus_core.line`.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import chain
from math import inf
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from argus_core.errors import Exhausted
from argus_core.fairness import CREDIT, Turns
from argus_core.line import NONE, Entry, Leeway, Line, Place, Rank, Served, Tenants

__all__ = ["NONE", "Ahead", "Entry", "Held", "Leeway", "Queues", "Rank"]

T = TypeVar("T")


class Ahead(NamedTuple):
    """Seconds of work that go before a rank, by variant that they wait for."""

    settled: Mapping[str, float]
    """As levels stand."""
    least: Mapping[str, float]
    """If all are drawn at their quickest."""


class Held(NamedTuple):
    """What waits of a tenant, or of all."""

    images: int
    bytes: int


_NOTHING = Held(0, 0)
_OVERFLOW = 1.25
"""Times the bounds up to which those are let in who have less than their share waiting."""


class Queues(Generic[T]):
    """The queues of all variants, under one bound."""

    def __init__(
        self,
        *,
        limit: int,
        bytes_limit: float = inf,
        weight: Callable[[str], float] = lambda _tenant: 1.0,
        credit: float = CREDIT,
    ) -> None:
        """Nothing waits.

        Args:
            limit: entries that may wait.
            bytes_limit: bytes that they may keep.
            weight: of a tenant: its share of the time of workers, relative to others.
            credit: see `argus_core.fairness`.
        """
        self._credit = credit
        self._limit, self._bytes_limit, self._weight = limit, bytes_limit, weight
        self._numbers: dict[str, int] = {}
        """Of the queues, in the order in which they were first used."""
        self._queues: list[dict[str, list[Rank]]] = []
        """By queue and tenant; tenants without any are left out."""
        self._waiting: dict[Rank, tuple[str, Entry[T]]] = {}
        self._turns: dict[int, Turns[str]] = {}
        """By band."""
        self._held: dict[str, Held] = {}
        """By tenant that has something waiting."""
        self._bytes = 0
        self._names: dict[str, int] = {}
        """Numbers of the tenants that have something waiting; free ones are used again."""
        self._free: list[int] = []
        self._line = Line()
        self._tenants: Tenants | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def tenants(self) -> Collection[str]:
        """That have something waiting."""
        return self._held.keys()

    def held(self, tenant: str | None = None) -> Held:
        """What waits of a tenant; of all for None."""
        if tenant is None:
            return Held(len(self._waiting), self._bytes)
        return self._held.get(tenant, _NOTHING)

    def count(self, variant: str) -> int:
        """How many wait for a variant."""
        return sum(map(len, self._queue(variant).values()))

    def head(self, variant: str) -> Entry[T] | None:
        """Who goes next of those that wait for a variant."""
        return self.first([variant])

    def first(self, variants: Iterable[str]) -> Entry[T] | None:
        """Who goes next of those that wait for any of `variants`; it stays."""
        rank = self._next(variants)
        return None if rank is None else self._waiting[rank][1]

    def entries(self, variant: str) -> Sequence[Entry[T]]:
        """All that wait for a variant, by band, deadline and arrival."""
        ranks = sorted(chain.from_iterable(self._queue(variant).values()))
        return [self._waiting[rank][1] for rank in ranks]

    def variants(self) -> list[str]:
        """Variants that something waits for."""
        return [variant for variant, number in self._numbers.items() if self._queues[number]]

    def require_room(
        self,
        count: int,
        size: int = 0,
        *,
        tenant: str = "",
        share: float = 1.0,
        reserved: float = 0.0,
        retry_after: Callable[[], float] | None = None,
    ) -> None:
        """Make sure that `count` more may wait, of so many bytes in all.

        Args:
            count: of images.
            size: bytes.
            tenant: whose they are.
            share: of the places: what this tenant may have while others want theirs, 0 to 1. Within
                it a tenant is let in though the queue is full, as long as a quarter more are not.
            reserved: of the places: what is left for others who have less than their share.
            retry_after: reckons the seconds to be told.

        Raises:
            Exhausted: they may not.
        """
        own = self.held(tenant)
        for asked, mine, used, limit, words in (
            (count, own.images, len(self), self._limit, "images wait"),
            (size, own.bytes, self._bytes, self._bytes_limit, "bytes wait"),
        ):
            entitled = share < 1 and mine + asked <= share * limit
            most = limit * _OVERFLOW if entitled else limit * (1 - reserved)
            if used + asked > most:
                raise Exhausted(
                    f"the queue is full: {used} of {limit:.0f} {words}",
                    retry_after=None if retry_after is None else retry_after(),
                )

    def push(self, variant: str, entry: Entry[T]) -> None:
        """Have an entry wait for a variant; `require_room` first where it is new.

        How long its levels take must have been told (`weigh`).
        """
        assert entry.rank not in self._waiting, "waits already"
        tenant, rank = entry.tenant, entry.rank
        if variant not in self._numbers:
            self._numbers[variant] = len(self._queues)
            self._queues.append({})
        insort(self._queue(variant).setdefault(tenant, []), rank)
        if tenant not in self._names:
            self._names[tenant] = self._free.pop() if self._free else len(self._names)
        if rank.band not in self._turns:
            self._turns[rank.band] = Turns(self._weight, credit=self._credit)
        self._turns[rank.band].join(tenant)
        self._hold(tenant, 1, entry.size)
        self._line.add(entry, self._numbers[variant], self._names[tenant])
        self._waiting[rank] = variant, entry

    def pop(self, variants: Iterable[str]) -> Entry[T] | None:
        """Take who goes next of those that wait for any of `variants`; `charge` what it takes."""
        rank = self._next(variants)
        return None if rank is None else self.remove(rank)

    def charge(self, band: int, tenant: str, seconds: float) -> None:
        """What was taken is served now, and takes so many seconds."""
        if turns := self._turns.get(band):
            turns.serve(tenant, seconds)
            self._touch()

    def correct(self, band: int, tenant: str, seconds: float) -> None:
        """What was served took so many seconds more than was charged, or fewer."""
        if turns := self._turns.get(band):
            turns.correct(tenant, seconds)
            self._touch()

    def remove(self, rank: Rank) -> Entry[T] | None:
        """Take out an entry, wherever it waits; None where it does not."""
        variant, entry = self._waiting.pop(rank, ("", None))
        if entry is None:
            return None
        tenant, queue = entry.tenant, self._queue(variant)
        ranks = queue[tenant]
        del ranks[bisect_left(ranks, rank)]
        if not ranks:
            del queue[tenant]
        self._turns[rank.band].leave(tenant)
        self._hold(tenant, -1, -entry.size)
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
        return self._line.next_deadline() if self._waiting else None

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

    def ahead(self, rank: Rank | None = None, tenant: str = "") -> Ahead:
        """Seconds of work that go before a tenant's `rank`; all of it for None."""
        if rank is None or self._alone(tenant):
            return self._named(self._line.sums(rank, len(self._queues)))
        place, tenants = self._place(rank, tenant), self._standing()
        return self._named(self._line.sums_before(place, tenants, len(self._queues)))

    def own(self, tenant: str, rank: Rank | None = None) -> Ahead:
        """Seconds of a tenant's own work, of what goes before `rank`; all of its for None."""
        if tenant not in self._names:
            return Ahead({}, {})
        if len(self._names) == 1 and rank is None:
            return self.ahead()
        return self._named(self._line.sums_of(self._names[tenant], rank, len(self._queues)))

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
        tenant: str = "",
        ignored: Collection[str] = (),
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
            tenant: whose rank that is.
            ignored: tenants whose time is not spared.

        Who cannot be in time whatever happens does not count.
        """
        if not any(map(self._queue, variants)):
            return Leeway(inf, inf, inf)
        counts = np.array([name in variants for name in self._numbers])
        row = np.array([shares.get(name, 0.0) for name in self._numbers])
        return self._line.leeway(
            counts,
            Served(row, slots, busy, first),
            now,
            None if behind is None else self._place(behind, tenant),
            tenants=None if self._alone(tenant) else self._standing(),
            ignored=self._chosen(ignored),
        )

    def _next(self, variants: Iterable[str]) -> Rank | None:
        """Of those who wait for any of these: the first of the tenant whose turn it is."""
        firsts: dict[str, Rank] = {}
        for variant in variants:
            for tenant, ranks in self._queue(variant).items():
                if tenant not in firsts or ranks[0] < firsts[tenant]:
                    firsts[tenant] = ranks[0]
        if len(firsts) <= 1:
            return next(iter(firsts.values()), None)
        band = min(rank.band for rank in firsts.values())
        able = sorted((rank, tenant) for tenant, rank in firsts.items() if rank.band == band)
        return firsts[self._turns[band].first(tenant for _, tenant in able)]

    def _hold(self, tenant: str, images: int, size: int) -> None:
        held, self._tenants = self.held(tenant), None
        self._bytes += size
        if held.images + images:
            self._held[tenant] = Held(held.images + images, held.bytes + size)
        else:
            del self._held[tenant]
            self._free.append(self._names.pop(tenant))

    def _touch(self) -> None:
        self._tenants = None
        self._line.touch()

    def _alone(self, tenant: str) -> bool:
        """Whether nobody else has anything waiting."""
        return len(self._names) <= (tenant in self._names)

    def _place(self, rank: Rank, tenant: str) -> Place:
        turns = self._turns.get(rank.band)
        return Place(
            rank,
            self._names.get(tenant, NONE),
            turns.tag(tenant) if turns else 0.0,
            self._weight(tenant),
        )

    def _standing(self) -> Tenants:
        if self._tenants is None:
            count = len(self._names) + len(self._free)
            weights, tags = np.ones(count), np.zeros(count * (max(self._turns, default=0) + 1))
            for tenant, number in self._names.items():
                weights[number] = self._weight(tenant)
                for band, turns in self._turns.items():
                    tags[band * count + number] = turns.tag(tenant)
            self._tenants = Tenants(count, weights, tags)
        return self._tenants

    def _chosen(self, tenants: Collection[str]) -> NDArray[np.bool_] | None:
        if not (numbers := [self._names[name] for name in tenants if name in self._names]):
            return None
        chosen = np.zeros(len(self._names) + len(self._free), dtype=np.bool_)
        chosen[numbers] = True
        return chosen

    def _named(self, sums: tuple[list[float], list[float]]) -> Ahead:
        settled, least = sums
        return Ahead(
            dict(zip(self._numbers, settled, strict=True)),
            dict(zip(self._numbers, least, strict=True)),
        )

    def _queue(self, variant: str) -> dict[str, list[Rank]]:
        number = self._numbers.get(variant)
        return {} if number is None else self._queues[number]
