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
from itertools import islice
from statistics import median_low
from typing import NamedTuple

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


class Told(NamedTuple):
    """What is known of how long a level takes, in seconds."""

    seconds: float
    """To expect; more than 0."""
    longest: float
    """That it may well take: the longest that it took lately, at least `seconds`."""
    fresh: bool
    """Whether this rests on something seen lately."""


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
        return self.told(level, gpu_type, now).seconds

    def told(self, level: str, gpu_type: str, now: float) -> Told:
        """All that is known; see `expect`."""
        common, prior = self._common(gpu_type, now), self._prior(level, gpu_type)
        seen = self._observed.get((level, gpu_type))
        if seen is None:
            return Told(prior * common, prior * common, fresh=False)
        own = _fade(seen.at, now, _HALF_LIFE)
        ratio = math.exp(own * math.log(seen.ratio) + (1 - own) * math.log(common))
        longer = 1 + (seen.longest / seen.ratio - 1) * own
        return Told(prior * ratio, prior * ratio * longer, fresh=now - seen.at <= FRESH)

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


class Slots(NamedTuple):
    """Slots of workers, by when they are free; what is free already is only counted."""

    free: int
    busy: Sequence[float]
    """Seconds until each of the others is free; more than 0, ascending."""
    seconds: float
    """Of those, together."""

    @property
    def total(self) -> int:
        """How many."""
        return self.free + len(self.busy)


def slots_of(busy: Iterable[float], count: int) -> Slots:
    """So many slots, of which some are busy for so many seconds; no more of them count."""
    later = sorted(seconds for seconds in islice(busy, count) if seconds > 0)
    return Slots(count - len(later), later, sum(later))


def start_after(slots: Slots, ahead: float) -> float:
    """Seconds until a request begins, at the latest.

    Args:
        slots: at least one.
        ahead: seconds of waiting work that goes first, shared by all the slots.

    The work ahead is poured over the slots like water; as it comes in whole images, the last
    of them begins no later than this.
    """
    assert slots.total, "a request cannot begin without a slot"
    filled, busy = slots.free, slots.busy
    full = (slots.seconds + ahead) / slots.total
    if not busy or full >= busy[-1]:
        return full
    level = poured = 0.0
    for following in busy:
        room = (following - level) * filled
        if filled and poured + room >= ahead:
            break
        level, poured, filled = following, poured + room, filled + 1
    return level + (ahead - poured) / filled
