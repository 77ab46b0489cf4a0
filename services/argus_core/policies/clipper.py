"""Clipper, as the paper has it: one level for all, the most accurate or the fastest."""

from __future__ import annotations

from collections.abc import Mapping

from argus_core.policies.allocation import Counts
from argus_core.policies.routed import Routed


class Clipper(Routed):
    """Every worker serves its one level all the time, whatever the load."""

    def __init__(self, name: str, *, best: bool) -> None:
        super().__init__()
        self.name = name
        self._best = best

    def plan(self, demand: float, available: Mapping[str, int]) -> Counts:
        """On each GPU type the level of greatest quality, or of greatest pace."""
        del demand
        counts = {}
        for gpu, count in available.items():
            paces, qualities = self.paces[gpu], self.setting.qualities
            first = qualities if self._best else paces
            second = paces if self._best else qualities
            ranks = {i: (first[i], second[i]) for i, pace in enumerate(paces) if pace > 0}
            if count and ranks:
                counts[max(ranks, key=lambda level: ranks[level]), gpu] = count
        return counts


def highest_accuracy() -> Clipper:
    """The best level always."""
    return Clipper("clipper-ha", best=True)


def highest_throughput() -> Clipper:
    """The fastest level always."""
    return Clipper("clipper-ht", best=False)
