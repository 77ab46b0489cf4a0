"""Means over runs, and how sure they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean, and where it lies with 95% confidence (Student's t)."""

    mean: float
    low: float | None
    """None where a single value tells nothing of the spread."""
    high: float | None
    count: int
    """Values that it rests on."""

    @property
    def half(self) -> float | None:
        """Half of the interval's width."""
        return None if self.high is None else self.high - self.mean

    @property
    def clear(self) -> bool:
        """Whether it leaves out 0."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


def interval(values: Sequence[float | None]) -> Interval | None:
    """The mean over those that are not None; None where all are."""
    known = np.array([value for value in values if value is not None], dtype=np.float64)
    count = len(known)
    if not count:
        return None
    mean = float(known.mean())
    if count == 1:
        return Interval(mean=mean, low=None, high=None, count=1)
    quantile = float(stdtrit(count - 1, (1 + CONFIDENCE) / 2))
    half = quantile * float(known.std(ddof=1)) / float(np.sqrt(count))
    return Interval(mean=mean, low=mean - half, high=mean + half, count=count)


def paired(those: Sequence[float | None], these: Sequence[float | None]) -> Interval | None:
    """The mean of `those` less `these`, run by run; pairs with a None are left out.

    Args:
        those: a figure of one policy, by seed.
        these: of another, by the same seeds.
    """
    return interval(
        [None if a is None or b is None else a - b for a, b in zip(those, these, strict=True)]
    )
