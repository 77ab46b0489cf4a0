"""Whether the latent store can be relied on, by what its fetches took."""

from __future__ import annotations

_WEIGHT = 0.1
"""Of the newest fetch in the share of bad ones."""
_DOWN = 0.5
"""Share of bad fetches above which the store is given up: seven in a row."""
_GOOD = 3
"""Good fetches in a row after which it is trusted again."""


class Health:
    """Trusts at first; state changes with each fetch."""

    def __init__(self, *, bearable: float) -> None:
        self.well = True
        self._bearable = bearable
        """Seconds; a fetch that takes longer is as bad as one that found nothing."""
        self._bad = 0.0
        self._good = 0

    def heard(self, seconds: float, *, found: bool) -> None:
        """A fetch is over."""
        bad = not found or seconds > self._bearable
        self._bad += (bad - self._bad) * _WEIGHT
        self._good = 0 if bad else self._good + 1
        if self.well and self._bad > _DOWN:
            self.well = False
        elif not self.well and self._good >= _GOOD:
            self.well, self._bad = True, 0.0
