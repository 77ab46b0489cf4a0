"""One router's arrivals, as far as its reports cover time."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass

_TOUCH = 1e-6
"""Share of a window that may overlap its neighbour: clocks round."""


@dataclass(frozen=True, order=True)
class Window:
    """Arrivals within a stretch of time; `end` is after `start`."""

    start: float
    end: float
    arrivals: float

    @property
    def length(self) -> float:
        """How long it is."""
        return self.end - self.start


class Arrivals:
    """Windows in order of time that never overlap; old ones are dropped."""

    def __init__(self) -> None:
        self._windows: list[Window] = []

    @property
    def newest(self) -> float:
        """When the last window ends; minus infinity before the first."""
        return self._windows[-1].end if self._windows else float("-inf")

    def overlaps(self, window: Window) -> bool:
        """Whether some of this time is covered already."""
        touch = _TOUCH * window.length
        return any(
            known.start + touch < window.end and window.start + touch < known.end
            for known in self._windows
        )

    def add(self, window: Window, *, since: float) -> None:
        """Take a window that overlaps none; forget those that ended before `since`."""
        insort(self._windows, window)
        self._windows = [known for known in self._windows if known.end > since]

    @property
    def first(self) -> float:
        """When the first window kept begins; infinity where there is none."""
        return self._windows[0].start if self._windows else float("inf")

    @property
    def rate(self) -> float:
        """Arrivals over the time covered; 0 where there is none."""
        covered = sum(window.length for window in self._windows)
        return sum(window.arrivals for window in self._windows) / covered if covered else 0.0

    def within(self, start: float, end: float) -> tuple[float, float]:
        """Arrivals within a stretch, and how much of it is covered.

        A window's arrivals are taken to have come evenly.
        """
        arrivals = covered = 0.0
        for window in self._windows:
            shared = min(end, window.end) - max(start, window.start)
            if shared > 0:
                covered += shared
                arrivals += window.arrivals * shared / window.length
        return arrivals, covered
