"""A bounded sample of what came, in which newer things stand for more."""

from __future__ import annotations

from heapq import heappush, heappushpop
from math import log
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")


class RecentSample(Generic[T]):
    """At most `size` things, drawn without replacement by weight times recency.

    A thing's chance halves with every `half_life` of its age against the others. Each draws a key
    once, on arrival (Efraimidis and Spirakis, in logarithms), and the greatest keys stay: keys
    never need an update, since ageing lowers all of them alike.
    """

    def __init__(self, *, size: int, half_life: float, rng: Random) -> None:
        assert size > 0, "a sample holds something"
        assert half_life > 0, "a half-life is positive"
        self._size, self._half_life, self._rng = size, half_life, rng
        self._kept: list[tuple[float, int, float, T]] = []
        self._count = 0

    def add(self, thing: T, *, at: float, weight: float) -> None:
        """Offer a thing that came at a time and stands for `weight` (more than 0) like it."""
        self._count += 1  # before the thing in the tuple, so that things are never compared
        entry = (self._key(at, weight), self._count, at, thing)
        if len(self._kept) < self._size:
            heappush(self._kept, entry)
        else:
            heappushpop(self._kept, entry)

    def things(self, *, since: float) -> list[T]:
        """What is kept that came at `since` or later, oldest first."""
        ranked = sorted(self._kept, key=lambda entry: (entry[2], entry[1]))
        return [thing for _, _, at, thing in ranked if at >= since]

    def _key(self, at: float, weight: float) -> float:
        uniform = max(self._rng.random(), 1e-300)
        gumbel = -log(max(-log(uniform), 1e-300))
        return log(weight) + at * log(2) / self._half_life + gumbel
