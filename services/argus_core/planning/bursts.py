"""The greatest of late: of any values, and of bursts, stretches of time in which the most came."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from math import sqrt

from argus_core.planning.forecast import Count


class Greatest:
    """The greatest of the values of a while; O(1) a value, amortised."""

    def __init__(self, *, memory: float) -> None:
        self._memory = memory
        """How long a value is remembered."""
        self._values: deque[tuple[float, float]] = deque()
        """When and how much; later ones are smaller."""

    def of(self, value: float, now: float) -> float:
        """Take in a value, at a time never before the last: the greatest as of now."""
        while self._values and self._values[-1][1] <= value:
            self._values.pop()
        self._values.append((now, value))
        while self._values[0][0] < now - self._memory:
            self._values.popleft()
        return self._values[0][1]


def burst_of(counts: Sequence[Count], length: float) -> float:
    """The greatest rate of any stretch that is long enough; all of it where none is.

    A Poisson count's standard deviation is taken off, so that chance alone makes no burst.
    """
    best = arrivals = seconds = 0.0
    start = 0
    for count in counts:
        arrivals += count.arrivals
        seconds += count.length
        while start < len(counts) and seconds - counts[start].length >= length:
            arrivals -= counts[start].arrivals
            seconds -= counts[start].length
            start += 1
        if seconds >= length:
            best = max(best, surely(arrivals, seconds))
    return best or (surely(arrivals, seconds) if seconds > 0 else 0.0)


def surely(arrivals: float, seconds: float) -> float:
    """The rate of so many arrivals, a Poisson count's standard deviation taken off."""
    return max(0.0, arrivals - sqrt(max(0.0, arrivals))) / seconds
