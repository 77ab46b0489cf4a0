"""Whether to have an image drawn a second time elsewhere, since its worker is late with it.

Asked only of an image that takes longer than it may well take. How much longer is not known; that
it goes on for ever is as likely as the tail of a Pareto law has it: after twice the time so far,
about every third is still not there. What is gained is the chance that the first is late and the
second is not; what is paid is worker time, at its price. (J. Dean and L. Barroso, "The tail at
scale", CACM 2013, hedge after the 95th percentile; here the deadline counts, not the latency.)
"""

from __future__ import annotations

from dataclasses import dataclass

_TAIL = 1.5
"""Index of the Pareto law."""
_LEAST_GAIN = 0.05
"""Chance to save the deadline for which an idle worker's time is spent."""
_IDLE = 0.2
"""Share of all slots that must be idle: with fewer, work that comes next would pay for it."""


@dataclass(frozen=True, kw_only=True)
class Late:
    """An image that its worker is late with; seconds."""

    elapsed: float
    """Since it was handed over."""
    longest: float
    """That it may well take there."""
    remaining: float
    """Until its deadline."""
    seconds: float
    """That the second is expected to take."""
    quality: float
    """That is lost with the deadline, 0 to 1."""
    price: float
    """Of a second of worker time, in quality."""


def gain(late: Late) -> float:
    """Chance that the second is in time and the first is not."""
    if late.elapsed <= late.longest or late.remaining <= 0:
        return 0.0
    misses = float((late.elapsed / (late.elapsed + late.remaining)) ** _TAIL)
    in_time = 1 - min(1.0, late.seconds / late.remaining) ** _TAIL
    return misses * float(in_time)


def pays(late: Late, *, idle: int, slots: int) -> bool:
    """Whether to draw it again; `idle` of all `slots` do nothing, and nothing waits."""
    if idle < max(1.0, _IDLE * slots):
        return False
    chance = gain(late)
    return chance >= _LEAST_GAIN and chance * late.quality > late.price * late.seconds
