"""How much time requests have of late, by what routers report of theirs: the middle of all."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from math import exp, inf, isfinite, log

_FINENESS = 0.02
"""Share by which times differ that are told apart."""
_LEAST, _MOST = 1e-3, 1e5
"""Seconds; others are taken for these."""
_ENOUGH = 20.0
"""Requests that must be known, the late ones among them, before the middle is told."""
_FORGOTTEN = 1e-3
"""Requests that count for less than this are dropped."""


class Deadlines:
    """Counts requests by the time that they had when they came; newer ones count for more.

    What is kept is bounded, whatever is reported: at most some thousand numbers.
    """

    def __init__(self, *, half_life: float) -> None:
        """`half_life` is the age in seconds at which a request counts for half."""
        self._fading = log(2) / half_life
        self._counts: dict[int, float] = {}
        self._at = -inf

    def saw(self, seconds: float, arrivals: float, at: float) -> None:
        """So many arrivals had so many seconds, at a time; what cannot be true is left out."""
        if not (isfinite(seconds) and seconds > 0 and arrivals > 0):
            return
        if at > self._at:
            kept = exp(self._fading * (self._at - at))
            self._counts = {k: w * kept for k, w in self._counts.items() if w * kept > _FORGOTTEN}
            self._at = at
        bucket = round(log(min(max(seconds, _LEAST), _MOST)) / _FINENESS)
        self._counts[bucket] = self._counts.get(bucket, 0.0) + arrivals

    @property
    def middle(self) -> float:
        """Seconds that half of the requests have at most; infinite while too few are known."""
        ranked = sorted(self._counts)
        sums = list(accumulate(self._counts[bucket] for bucket in ranked))
        if not sums or sums[-1] < _ENOUGH:
            return inf
        return exp(_FINENESS * ranked[bisect_left(sums, sums[-1] / 2)])
