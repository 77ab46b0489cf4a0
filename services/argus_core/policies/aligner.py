"""The paper's distribution aligner: from the levels that prompts prefer to those there are.

Levels are in the ladder's order, from dearest to cheapest, so a greater index is a faster level
(a higher K, in the paper's words). A prompt that moves to a dearer level loses nothing; one that
moves to a cheaper level does.
"""

from __future__ import annotations

from collections.abc import Sequence

_NOTHING = 1e-12
"""Shares below this are what rounding leaves."""

Table = list[list[float]]
"""By level preferred, by level served: the share of those who prefer the one, that get the other.
Each row adds up to 1."""


def align(preferred: Sequence[float], served: Sequence[float]) -> Table:
    """The table P[from, to] that turns one distribution over levels into the other.

    From the cheapest level to the dearest: where more prefer it than it serves, the excess goes
    on to the next dearer one, those first who prefer it least, having come from furthest; where
    fewer do, the nearest dearer levels give up theirs.

    Args:
        preferred: share of the prompts that prefer each level; in any unit, adding up to above 0.
        served: share of the load that each level is to get; likewise.

    Returns:
        Rows of levels that nobody prefers send all to the nearest level that serves.
    """
    wants, room = _shares(preferred), _shares(served)
    levels = range(len(wants))
    moved = [[0.0] * len(wants) for _ in levels]
    held: list[tuple[int, float]] = []
    """Not yet served, from cheaper levels: whence and how much; who came from furthest last."""
    left = list(wants)
    for level in reversed(levels):
        claims = [(level, left[level]), *held]
        free = room[level]
        held = []
        for origin, mass in claims:
            taken = min(mass, free)
            free -= taken
            moved[origin][level] += taken
            if mass - taken > _NOTHING:
                held.append((origin, mass - taken))
        left[level] = 0.0
        for origin in range(level - 1, -1, -1):
            taken = min(left[origin], free)
            free -= taken
            left[origin] -= taken
            moved[origin][level] += taken
    return [_row(moved[level], level, room) for level in levels]


def _shares(values: Sequence[float]) -> list[float]:
    total = sum(values)
    assert total > 0, "no shares"
    return [value / total for value in values]


def _row(moved: Sequence[float], level: int, served: Sequence[float]) -> list[float]:
    """One row as probabilities."""
    total = sum(moved)
    if total > _NOTHING:
        return [mass / total for mass in moved]
    nearest = nearest_served(level, served)
    return [float(i == nearest) for i in range(len(moved))]


def nearest_served(level: int, served: Sequence[float]) -> int:
    """The nearest level with a share above 0, the cheaper of two; -1 for none."""
    there = (i for i, share in enumerate(served) if share > 0)
    return min(there, key=lambda i: (abs(i - level), -i), default=-1)
