"""Shares kept turn by turn: who is furthest behind is next.

Where a system would draw by lot, this keeps the same shares with less scatter: in any run of
turns each choice comes as often as its share says, give or take the number of choices.
"""

from __future__ import annotations

from collections.abc import Sequence


class Turns:
    """Picks indices by their shares; shares may change at any time, arrears are kept."""

    def __init__(self, shares: Sequence[float]) -> None:
        self._arrears = [0.0] * len(shares)
        self._shares: list[tuple[int, float]] = []
        self._total = 0.0
        self.change(shares)

    def change(self, shares: Sequence[float]) -> None:
        """New shares, 0 or more, in any unit; of as many choices as before."""
        self._shares = [(i, share) for i, share in enumerate(shares) if share > 0]
        self._total = sum(share for _, share in self._shares)
        for i, share in enumerate(shares):
            # Arrears of other shares would be paid back in turns that are no longer due.
            self._arrears[i] = min(max(self._arrears[i], -self._total), self._total)
            if share <= 0:
                self._arrears[i] = 0.0

    def next(self) -> int:
        """The next choice; -1 where no share is above 0."""
        arrears, best, most = self._arrears, -1, 0.0
        for i, share in self._shares:
            arrears[i] += share
            if best < 0 or arrears[i] > most:
                best, most = i, arrears[i]
        if best >= 0:
            arrears[best] -= self._total
        return best
