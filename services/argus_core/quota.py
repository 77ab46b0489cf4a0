"""How much may be used in the long run: a bucket that fills at a rate and holds some seconds of it.

A token bucket (J. Turner, "New directions in communications", IEEE Communications Magazine, 1986).
What is taken may be corrected afterwards, so that what an image really took is what counts.
"""

from __future__ import annotations

BURST = 10.0
"""Seconds of the rate that a bucket holds."""


class Bucket:
    """Full at first; not safe for threads, and time is passed in."""

    def __init__(self, rate: float, *, now: float) -> None:
        """`rate`: what flows in a second, more than 0."""
        self._rate, self._size = rate, rate * BURST
        self._level, self._at = self._size, now

    def wait(self, amount: float, now: float) -> float:
        """Seconds until so much may be taken; 0 for now.

        More than the bucket can hold may be taken once it is full, so that nothing is refused for
        ever.
        """
        self._fill(now)
        return max(0.0, min(amount, self._size) - self._level) / self._rate

    def take(self, amount: float, now: float) -> None:
        """Take, or with less than 0 put back; below nothing, where more was used than thought."""
        self._fill(now)
        self._level = min(self._size, self._level - amount)

    def _fill(self, now: float) -> None:
        self._level = min(self._size, self._level + self._rate * max(0.0, now - self._at))
        self._at = max(now, self._at)
