"""The load as a baseline measures it: arrivals counted, a moving mean, and a fresh start on a jump.

More than most of them do: a burst is known for what it is within one turn of the control loop.
"""

from __future__ import annotations

from collections import deque
from math import sqrt

_WINDOW = 60.0
"""Seconds over which the mean is taken."""
_SURE = 3.0
"""Standard deviations of a Poisson count that are not chance."""


class Observed:
    """Counts arrivals between turns; the rate changes at turns alone."""

    def __init__(self, *, rate: float, now: float = 0.0) -> None:
        self.rate = rate
        """Images a second, as of the last turn."""
        self.count = 0
        """Arrivals since the last turn; whoever sees one adds it."""
        self._since = now
        self._counts: deque[tuple[float, int]] = deque()

    def turn(self, now: float) -> float:
        """Take note of the time since the last turn, and return the rate in images a second.

        Counts older than the window are forgotten, and all but the newest where that is surely
        of another load.
        """
        seconds = now - self._since
        if seconds <= 0:
            return self.rate
        usual = self.rate * seconds
        if abs(self.count - usual) > _SURE * sqrt(usual + 1):
            self._counts.clear()
        self._counts.append((seconds, self.count))
        self._since, self.count = now, 0
        while len(self._counts) > 1 and self._seconds() > _WINDOW:
            self._counts.popleft()
        self.rate = sum(count for _, count in self._counts) / self._seconds()
        return self.rate

    def _seconds(self) -> float:
        return sum(seconds for seconds, _ in self._counts)
