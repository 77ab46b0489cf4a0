"""What an engine does between steps: whose turn it is, who is past hope, what has come to a halt.

Pure: seconds are given, on any clock. How long a step takes is learned from steps that were taken,
and until then taken from the profile; only what was measured makes an engine give up on an image.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from argus_core.spec import Level

WINDOW = 32
"""Steps of a kind that are remembered."""
MEASURED = 3
"""Steps of a kind after which their times mean something."""
KINDS = 256
"""Kinds of steps that are remembered; a user may ask for any size."""
WEDGED_FACTOR = 3.0
"""A step that takes so many times its usual time has come to a halt."""
WEDGED_UNKNOWN = 600.0
"""Seconds for a step of which nothing is known."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What a step's time depends on."""

    variant: str
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    rows: int
    """Of the forward: samples, and guided ones twice."""
    cache: str = ""
    """How steps are skipped within the model; empty for not at all."""


class StepTimes:
    """Seconds that steps take, by kind."""

    def __init__(self, prior: Mapping[str, float], *, pixels: int) -> None:
        """`prior` tells seconds a step by variant, from the profile, of images of `pixels`."""
        self._prior, self._pixels = dict(prior), pixels
        self._seen: OrderedDict[Kind, deque[float]] = OrderedDict()

    def learn(self, kind: Kind, seconds: float) -> None:
        """Take in a step that was measured."""
        self._seen.setdefault(kind, deque(maxlen=WINDOW)).append(seconds)
        self._seen.move_to_end(kind)
        if len(self._seen) > KINDS:
            self._seen.popitem(last=False)

    def usual(self, kind: Kind) -> float | None:
        """The median of late; the profile's, by pixels and rows, where nothing is measured yet.

        None where there is neither.
        """
        if seen := self._seen.get(kind):
            return median(seen)
        prior = self._prior.get(kind.variant)
        if prior is None:
            return None
        return prior * kind.rows * kind.width * kind.height / self._pixels

    def least(self, kind: Kind) -> float:
        """The quickest of late; 0 where too few are measured to tell."""
        seen = self._seen.get(kind, ())
        return min(seen) if len(seen) >= MEASURED else 0.0


def profiled(ladder: Iterable[Level], gpu_type: str) -> dict[str, float]:
    """Seconds a step by variant, as the ladder's levels were profiled; of several the longest."""
    longest: dict[str, float] = {}
    for level in ladder:
        if (seconds := level.seconds.get(gpu_type)) is not None:
            step = seconds / (level.steps - level.skipped_steps)
            longest[level.variant] = max(step, longest.get(level.variant, 0.0))
    return longest


@dataclass(frozen=True, kw_only=True)
class Turn:
    """Images that would take a step together."""

    deadline: float
    """Of the most urgent."""
    work: float
    """Seconds until that one is done; 0 where nothing is known."""


def next_turn(turns: Sequence[Turn], *, now: float, present: int | None = None) -> int:
    """Whose turn it is: the earliest deadline's, where that pays.

    The one under way, `present`, is stayed with as long as that makes nobody late: ending it first
    frees its slot sooner, and the others are none the later for it. Of several that are equally
    good the earlier deadline goes first, then the earlier in the list.
    """
    by_deadline = sorted(range(len(turns)), key=lambda index: turns[index].deadline)
    best = max(by_deadline, key=lambda first: _met(turns, first, by_deadline, now))
    if present is not None:
        staying = _met(turns, present, by_deadline, now)
        if staying >= _met(turns, best, by_deadline, now):
            return present
    return best


def company(*, left: int, tail: float, time_left: float, seconds: Sequence[float | None]) -> int:
    """How many samples take the step together, the most urgent of them first.

    As many as leave the most urgent in time; all where it is late even alone.

    Args:
        left: steps that the most urgent has left.
        tail: seconds that follow its last step.
        time_left: seconds until its deadline.
        seconds: of a step, by the number of samples from 1; None where that is not known.
    """
    for count in range(len(seconds), 0, -1):
        step = seconds[count - 1]
        if step is None or left * step + tail <= time_left:
            return count
    return len(seconds)


def hopeless(*, left: int, least: float, tail: float, time_left: float) -> str:
    """Why an image cannot be in time even if nothing else were drawn; empty where it may.

    Args:
        left: steps.
        least: seconds that a step took at the quickest; 0 where that is not known.
        tail: seconds that follow the last step, at the quickest.
        time_left: seconds until the deadline.
    """
    if least <= 0 or left * least + tail <= time_left:
        return ""
    return (
        f"the deadline cannot be met: {left} steps of {least:.3g} s are left"
        f" and {max(0.0, time_left):.3g} s to take them in"
    )


def wedged(*, since: float, usual: float | None, floor: float) -> str:
    """Why a step that began `since` seconds ago has come to a halt; empty where it may end yet.

    Args:
        since: seconds.
        usual: seconds that such a step takes; None where that is not known.
        floor: seconds that any step may take, as the first of a shape warms up.
    """
    most = WEDGED_UNKNOWN if usual is None else max(floor, WEDGED_FACTOR * usual)
    if since <= most:
        return ""
    known = "" if usual is None else f", where {usual:.3g} s are usual"
    return f"a step has taken {since:.0f} s{known}"


def _met(turns: Sequence[Turn], first: int, by_deadline: Sequence[int], now: float) -> int:
    """Deadlines met if this one goes first and the others by their deadlines."""
    at, met = now, 0
    for index in (first, *(other for other in by_deadline if other != first)):
        at += turns[index].work
        met += at <= turns[index].deadline
    return met
