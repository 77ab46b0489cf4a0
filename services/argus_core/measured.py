"""What levels take by what was measured, slow to change its mind: what plans are made with.

A plan moves workers, which costs time, so its seconds must not follow every breath of the machine.
Of each level and GPU type there is the ratio of the seconds measured to those stated, and a
*belief*: the ratio that is planned with, 1 at first. All of this is done with logarithms.

- What was measured is gathered in stretches of `_STRETCH`, of which newer ones count more. Its
  error is told by how much stretches differ, as a machine that is busy with other things slows many
  images at once: these are not so many independent measurements.
- A ratio of few images is drawn to what all levels of its GPU type show together, and that to 1.
- A belief begins to move where it is `_APART` and two errors off, and goes on, at `_SPEED` at
  most, until it is there. What cannot be told from the stated seconds is taken for them.
- A level of which nothing is seen keeps its belief for long: were it forgotten, a plan that avoids
  a slow level would take it for a quick one again.

Pure: time is passed in, in seconds on one clock. Not safe for threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, exp2, inf, log, sqrt
from typing import NamedTuple

_STRETCH = 20.0
"""Seconds; what slows a machine down for less is noise."""
_HALF_LIFE = 180.0
"""Seconds after which what was measured counts for half, while more is."""
_IDLE_HALF_LIFE = 3600.0
"""The same, while nothing is measured."""
_LEAST = 30.0
"""Images that are remembered however old they are."""
_PRIOR = 6.0
"""Images that what is expected beforehand stands for."""
_PRIOR_SPREAD = 0.25
"""Standard deviation of a stretch's ratio, before any was seen."""
_APART = log(1.3)
"""From which on a belief begins to move, if its error allows."""
_THERE = log(1.05)
"""At which it has arrived."""
_SPEED = log(2.0) / 60.0
"""At most, a second: what was measured is followed at a doubling a minute."""
_AS_STATED = log(1.1)
"""What is measured within this is taken for what is stated."""
_ERRORS = 2.0
"""By which a belief must be off."""
_STRAY, _STRAY_SPREADS = log(1.6), 3.0
"""Off what was known by so much, and by so many standard deviations, a stretch is not believed; a
second one in a row on the same side is, and all that was known before is forgotten."""
_MOST = log(10.0)
"""Ratios beyond this, and its inverse, are no image's fault."""
_REPLAN = log(1.3)
"""By which a belief must have moved for a plan to be made anew while it still moves."""

Key = tuple[str, str]
"""Level and GPU type."""
Costs = Sequence[Mapping[str, float]]
"""By level, by GPU type: seconds of one image now; infinite while the level is closed."""


class Work(NamedTuple):
    """Images that were drawn within a window."""

    level: str
    gpu_type: str
    images: int
    seconds: float
    """Of workers, all images together, as if they were of the default size."""


@dataclass(frozen=True, kw_only=True)
class Belief:
    """What one image of a level takes; all in seconds."""

    level: str
    gpu_type: str
    stated: float
    measured: float | None
    """Mean of those of late; None where there were none."""
    planned: float
    """What plans are made with."""


@dataclass
class _Sums:
    """Of logarithms of ratios, a stretch's weighted by its images."""

    images: float = 0.0
    total: float = 0.0
    squares: float = 0.0
    weights: float = 0.0
    """Of squared numbers of images: tells how many stretches there really are."""

    def age(self, factor: float) -> None:
        self.images *= factor
        self.total *= factor
        self.squares *= factor
        self.weights *= factor * factor

    def add(self, images: float, value: float) -> None:
        self.images += images
        self.total += images * value
        self.squares += images * value * value
        self.weights += images * images

    @property
    def mean(self) -> float:
        return self.total / self.images if self.images else 0.0

    @property
    def spread(self) -> float:
        """Standard deviation of stretches."""
        apart = max(0.0, self.squares - self.total * self.mean)
        return sqrt((apart + _PRIOR * _PRIOR_SPREAD**2) / (self.images + _PRIOR))

    @property
    def error(self) -> float:
        """Standard error of the mean, by how stretches differ."""
        return self.spread * sqrt(self.weights) / self.images if self.images else _PRIOR_SPREAD


@dataclass
class _Known:
    stated: float
    sums: _Sums = field(default_factory=_Sums)
    strays: _Sums = field(default_factory=_Sums)
    """The last stretch, where it was not believed."""
    images: int = 0
    seconds: float = 0.0
    """Of the stretch that is under way."""
    belief: float = 0.0
    moving: bool = False


class Measured:
    """Hears what was drawn; says what to plan with."""

    def __init__(self, stated: Mapping[str, Mapping[str, float]]) -> None:
        """`stated`: seconds of one image by level, by GPU type; positive."""
        self._known = {
            (level, gpu): _Known(seconds)
            for level, mine in stated.items()
            for gpu, seconds in mine.items()
        }
        self._since: float | None = None
        """Of the stretch that is under way."""
        self._looked: float | None = None
        self._planned: dict[Key, float] = {}

    def saw(self, work: Iterable[Work]) -> None:
        """Take in what was drawn; what no level of the document took, or cannot be, is left out."""
        for one in work:
            known = self._known.get((one.level, one.gpu_type))
            if known is None or one.images < 1 or not 0 < one.seconds < inf:
                continue
            known.images += one.images
            known.seconds += one.seconds

    def turn(self, now: float) -> bool:
        """Move the beliefs; whether they have moved so far that a plan should be made anew."""
        passed = 0.0 if self._looked is None else max(0.0, now - self._looked)
        self._looked = now
        if self._since is None:
            self._since = now
        if now - self._since >= _STRETCH:
            self._close(now - self._since)
            self._since = now
        commons = {gpu: self._common(gpu) for _, gpu in self._known}
        for (_, gpu), known in self._known.items():
            if commons[gpu].images:
                _move(known, *_drawn_to(known.sums, commons[gpu]), passed)
        return self._is_news()

    def planned(self) -> None:
        """A plan was made with what is believed now."""
        self._planned = {key: known.belief for key, known in self._known.items()}

    def costs(self, levels: Sequence[str], costs: Costs) -> Costs:
        """The costs with what is believed in place of what is stated; closed levels stay closed.

        Args:
            levels: names, in the ladder's order.
            costs: of each.
        """
        return [
            {gpu: self._seconds((level, gpu), cost) for gpu, cost in mine.items()}
            for level, mine in zip(levels, costs, strict=True)
        ]

    @property
    def beliefs(self) -> list[Belief]:
        """Of every level and GPU type, in the document's order."""
        return [
            Belief(
                level=level,
                gpu_type=gpu,
                stated=known.stated,
                measured=known.stated * exp(known.sums.mean) if known.sums.images else None,
                planned=known.stated * exp(known.belief),
            )
            for (level, gpu), known in self._known.items()
        ]

    def told(self) -> str:
        """In words, what is not planned with as stated; empty where all is."""
        told = []
        for gpu in dict.fromkeys(gpu for _, gpu in self._known):
            mine = {key[0]: k.belief for key, k in self._known.items() if key[1] == gpu}
            if not any(mine.values()):
                continue
            most = max(mine, key=lambda level: abs(mine[level]))
            alike = max(mine.values()) - min(mine.values()) <= _APART
            who = f"images on {gpu} take" if alike else f"{most} on {gpu} takes"
            rest = "" if alike else ", other levels less apart"
            told.append(f"{who} {exp(mine[most]):.2g} times the stated seconds{rest}")
        return "; ".join(told)

    def _seconds(self, key: Key, cost: float) -> float:
        known = self._known.get(key)
        return cost if known is None or cost == inf else cost * exp(known.belief)

    def _close(self, length: float) -> None:
        """The stretch is over: what it tells is counted, and what is older counts less."""
        for known in self._known.values():
            if known.images:
                ratio = log(known.seconds / known.images / known.stated)
                _learn(known, min(max(ratio, -_MOST), _MOST), length)
                known.images, known.seconds = 0, 0.0
            else:
                known.sums.age(exp2(-length / _IDLE_HALF_LIFE))

    def _common(self, gpu_type: str) -> _Sums:
        """All levels of a GPU type together."""
        found = _Sums()
        for (_, gpu), known in self._known.items():
            if gpu == gpu_type:
                found.images += known.sums.images
                found.total += known.sums.total
                found.squares += known.sums.squares
                found.weights += known.sums.weights
        return found

    def _is_news(self) -> bool:
        for key, known in self._known.items():
            apart = abs(known.belief - self._planned.get(key, 0.0))
            if apart > (_REPLAN if known.moving else _THERE):
                return True
        return False


def _learn(known: _Known, ratio: float, length: float) -> None:
    """A stretch of so many seconds is over, and showed this ratio."""
    sums, strays, images = known.sums, known.strays, known.images
    off = ratio - sums.mean
    if sums.images and abs(off) > max(_STRAY, _STRAY_SPREADS * sums.spread):
        if not strays.images or (strays.mean > sums.mean) != (off > 0):
            known.strays = _Sums()
            known.strays.add(images, ratio)
            return
        known.sums = sums = strays
    known.strays = _Sums()
    fading, room = exp2(-length / _HALF_LIFE), _LEAST - images
    if sums.images and room > sums.images * fading:
        fading = min(1.0, room / sums.images)
    sums.age(fading)
    sums.add(images, ratio)


def _drawn_to(own: _Sums, common: _Sums) -> tuple[float, float]:
    """A level's ratio and its error, given what its GPU type's levels show at large."""
    weight = common.images / (common.images + _PRIOR)
    large, doubt = weight * common.mean, weight * common.error
    weight = own.images / (own.images + _PRIOR)
    mean = weight * own.mean + (1 - weight) * large
    return mean, sqrt((weight * own.error) ** 2 + ((1 - weight) * doubt) ** 2)


def _move(known: _Known, mean: float, error: float, passed: float) -> None:
    aim = 0.0 if abs(mean) <= max(_AS_STATED, error) else mean
    apart = aim - known.belief
    if known.moving:
        known.moving = abs(apart) > _THERE
        if not known.moving and not aim:
            known.belief = 0.0
    else:
        known.moving = abs(apart) > max(_APART, _ERRORS * error)
    if known.moving:
        step = _SPEED * passed
        known.belief += min(max(apart, -step), step)
