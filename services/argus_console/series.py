"""What the GPUs held and what came in, over time: a bounded row of samples. Pure."""

from __future__ import annotations

from collections import deque
from typing import Any

EVERY = 2.0
"""Seconds between two samples."""
MOST = 900
"""Samples that are kept: half an hour."""

Sample = dict[str, Any]


class Series:
    """The newest samples, each with a number that rises."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque(maxlen=MOST)
        self.last = 0
        """Number of the newest; 0 for none."""
        self._at = float("-inf")

    def offer(self, sample: Sample, now: float) -> bool:
        """Keep a sample where it is time for one; `now` in seconds, monotonic."""
        if now - self._at < EVERY:
            return False
        self._at, self.last = now, self.last + 1
        self._samples.append({"n": self.last, **sample})
        return True

    def since(self, number: int) -> list[Sample]:
        """Those after this number, oldest first."""
        behind = min(self.last - number, len(self._samples))
        return list(self._samples)[len(self._samples) - behind :] if behind > 0 else []
