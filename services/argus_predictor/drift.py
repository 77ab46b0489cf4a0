"""How far measured quality is from what was predicted, level by level, and whether that is luck.

Plain arithmetic over the latest labels; nothing here waits or keeps time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, sqrt
from statistics import fmean, variance

WINDOW = 200
"""Labels of a level that are looked at."""
FEWEST = 20
"""Labels below which nothing is said."""
_SURE = 1.96
"""Standard errors on either side of the mean: 95 % of a normal distribution."""
_TOLERATED = 0.02
"""Mean error that is no drift, however sure."""


@dataclass(frozen=True, kw_only=True)
class Error:
    """Of a level's latest predictions."""

    labels: int
    mean: float
    """Measured less predicted, -1 to 1."""
    margin: float
    """Half of the 95 % interval of the mean; infinite below two labels."""

    @property
    def drifted(self) -> bool:
        """Whether predictions are off by more than luck explains and more than matters."""
        beyond = abs(self.mean) - self.margin
        return self.labels >= FEWEST and beyond > 0 and abs(self.mean) > _TOLERATED


class Drift:
    """Hears of labels; tells errors. Not safe for threads."""

    def __init__(self, levels: Iterable[str]) -> None:
        self._errors: dict[str, deque[float]] = {name: deque(maxlen=WINDOW) for name in levels}

    def heard(self, level: str, *, predicted: float, measured: float) -> None:
        """An image of a level was judged; levels that there are not are not learnt of."""
        if level in self._errors:
            self._errors[level].append(measured - predicted)

    def forget(self) -> None:
        """Another head predicts: what the old one was wrong about tells nothing of it."""
        for errors in self._errors.values():
            errors.clear()

    def error(self, level: str) -> Error:
        """Of a level; KeyError where there is none of that name."""
        errors = self._errors[level]
        if not errors:
            return Error(labels=0, mean=0.0, margin=inf)
        margin = _SURE * sqrt(variance(errors) / len(errors)) if len(errors) > 1 else inf
        return Error(labels=len(errors), mean=fmean(errors), margin=margin)

    def errors(self) -> dict[str, Error]:
        """By level."""
        return {level: self.error(level) for level in self._errors}

    def correction(self, level: str) -> float:
        """What to add to predictions: the mean error where it has drifted, and else nothing."""
        error = self.error(level)
        return error.mean if error.drifted else 0.0
