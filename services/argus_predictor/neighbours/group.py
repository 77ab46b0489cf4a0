"""Entries that are alike in all that can be asked for: scope, compatibility, steps.

So whoever asks is answered from the groups that fit, and nothing has to be filtered out after
ranking. A small group is looked at whole; a large one gets a graph.
"""

from __future__ import annotations

from argus_predictor.neighbours.indexes import Exact, Graph, Ranked, Slots
from argus_predictor.neighbours.turns import Turns
from argus_predictor.neighbours.vectors import Bytes, Floats

LARGE = 4096
"""Entries from which a group has a graph: looking at so many takes 0.15 ms."""


class Group:
    """One of them; changed by one thread at a time, read by others in turn with it."""

    def __init__(self, steps: tuple[int, ...], dimensions: int, *, large: int = LARGE) -> None:
        self.steps = steps
        self._dimensions, self._large = dimensions, large
        self._ranked: Ranked = Exact(dimensions)

    def __len__(self) -> int:
        return len(self._ranked)

    def add(self, slot: int, row: Bytes, turns: Turns) -> None:
        """Have an entry be found; readers wait for no more than one row."""
        if isinstance(self._ranked, Exact) and len(self._ranked) >= self._large:
            graph = Graph(self._dimensions)
            for known, kept in self._ranked.items():
                graph.add(known, kept)
            with turns:
                self._ranked = graph
        with turns:
            self._ranked.add(slot, row)

    def remove(self, slot: int) -> None:
        """Have an entry be found no longer."""
        self._ranked.remove(slot)

    def nearest(self, row: Floats, count: int) -> tuple[Slots, Floats]:
        """Slots and cosines, nearest first."""
        return self._ranked.nearest(row, count)
