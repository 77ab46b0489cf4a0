"""What to expect: seconds of a level, and seconds until a request begins.

The spec's seconds are where `ServiceTimes` starts. What is observed corrects them, level by
level; a level not seen for long is corrected as the levels of its GPU type are at large, so
that one slow hour does not close it for good; and where none of these was seen for long either, all
go back to what the spec says.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median_low

from argus_core.spec import ImageSize, Level

_WEIGHT = 0.2
"""Of a new observation; the latest five or so count most."""
_OUTLIER = 3.0
"""An observation counts for at most this many times the estimate, and at least its inverse."""
_HALF_LIFE = 300.0
"""Seconds after which an estimate no longer fed counts for half."""
_LONG_HALF_LIFE = 1800.0
"""Seconds after which what a GPU type showed at large counts for half."""
_RENEWED = 1.0
"""Seconds for which that is not reckoned anew."""
_FORGOTTEN = 0.1
"""Of what the longest lately is above the mean: by how much each new observation lowers it."""
FRESH = 60.0
"""Seconds for which an observation makes its estimate one to refuse by."""


@dataclass
class _Observed:
    ratio: float
    """Of the seconds seen to the spec's."""
    longest: float
    """The same, of the longest lately; at least `ratio`."""
    count: int
    at: float


class ServiceTimes:
    """Expected seconds of one image at the default size, by level and GPU type.

    Not safe for threads; time is passed in, on the caller's clock.
    """

    def __init__(self, ladder: Iterable[Level]) -> None:
        self._levels = {level.name: level for level in ladder}
        self._observed: dict[tuple[str, str], _Observed] = {}
        self._commons: dict[str, tuple[float, float]] = {}
        """Ratio of a GPU type's levels at large, where it is known, and when it was reckoned."""

    def expect(self, level: str, gpu_type: str, now: float) -> float:
        """Seconds to expect; more than 0. An unknown GPU type is taken for the slowest."""
        common = self._common(gpu_type, now)
        seen = self._observed.get((level, gpu_type))
        if seen is None:
            return self._prior(level, gpu_type) * common
        own = _fade(seen.at, now, _HALF_LIFE)
        ratio = math.exp(own * math.log(seen.ratio) + (1 - own) * math.log(common))
        return self._prior(level, gpu_type) * ratio

    def longest(self, level: str, gpu_type: str, now: float) -> float:
        """Seconds that it may well take: the longest that it took lately, at least `expect`."""
        expected = self.expect(level, gpu_type, now)
        seen = self._observed.get((level, gpu_type))
        if seen is None:
            return expected
        return expected * (1 + (seen.longest / seen.ratio - 1) * _fade(seen.at, now, _HALF_LIFE))

    def observe(self, level: str, gpu_type: str, seconds: float, now: float) -> float:
        """Learn that an image took so many seconds, scaled to the default size.

        Returns:
            The seconds that it counts for: of an outlier fewer, or more; 0 for what cannot be.
        """
        if not 0 < seconds < float("inf"):
            return 0.0
        key, ratio = (level, gpu_type), seconds / self._prior(level, gpu_type)
        # Expected already: a level seen for the first time starts from what its kin showed.
        before = self.expect(level, gpu_type, now) / self._prior(level, gpu_type)
        count = self._observed[key].count if key in self._observed else 0
        weight = max(_WEIGHT, 1 / (count + 2))
        bounded = min(max(ratio, before / _OUTLIER), before * _OUTLIER)
        mean = before + weight * (bounded - before)
        longest = self._observed[key].longest if count else before
        longest = max(bounded, mean, longest - _FORGOTTEN * (longest - mean))
        self._observed[key] = _Observed(mean, longest, count + 1, now)
        self._commons.pop(gpu_type, None)
        return bounded * self._prior(level, gpu_type)

    def fresh(self, level: str, gpu_type: str, now: float) -> bool:
        """Whether the expectation rests on something seen lately."""
        seen = self._observed.get((level, gpu_type))
        return seen is not None and now - seen.at <= FRESH

    def _prior(self, level: str, gpu_type: str) -> float:
        seconds = self._levels[level].seconds
        return seconds.get(gpu_type) or max(seconds.values())

    def _common(self, gpu_type: str, now: float) -> float:
        known, at = self._commons.get(gpu_type, (1.0, -math.inf))
        if now - at <= _RENEWED:
            return known
        ratios = [
            seen.ratio ** _fade(seen.at, now, _LONG_HALF_LIFE)
            for (_, gpu), seen in self._observed.items()
            if gpu == gpu_type
        ]
        common = median_low(ratios) if ratios else 1.0
        self._commons[gpu_type] = common, now
        return common


def _fade(at: float, now: float, half_life: float) -> float:
    """What counts of something seen then."""
    return math.exp2(-max(0.0, now - at) / half_life)


def pixel_scale(size: ImageSize | None, default: ImageSize) -> float:
    """How many times the default size's seconds an image of `size` takes: by its pixels."""
    if size is None:
        return 1.0
    return size.width * size.height / (default.width * default.height)


def start_after(free_in: Sequence[float], ahead: float) -> float:
    """Seconds until a request begins, at the latest.

    Args:
        free_in: for each slot, seconds until it is free; at least one.
        ahead: seconds of waiting work that goes first, shared by all the slots.

    The work ahead is poured over the slots like water; as it comes in whole images, the last
    of them begins no later than this.
    """
    assert free_in, "a request cannot begin without a slot"
    slots = sorted(max(0.0, free) for free in free_in)
    if (full := (sum(slots) + ahead) / len(slots)) >= slots[-1]:
        return full
    level, poured = slots[0], 0.0
    for filled, following in enumerate(slots[1:], start=1):
        room = (following - level) * filled
        if poured + room >= ahead:
            return level + (ahead - poured) / filled
        level, poured = following, poured + room
    return level + (ahead - poured) / len(slots)
