"""Accuracy scaling by each worker for itself, in the manner of Sommelier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from argus_core.policies.allocation import Counts
from argus_core.policies.routed import Routed


class Sommelier(Routed):
    """The load is shared evenly, and a worker serves the best level that carries its share.

    Nobody looks at the others, nor at the prompts.
    """

    name = "sommelier"

    def plan(self, demand: float, available: Mapping[str, int]) -> Counts:
        """On each GPU type one level: the best that carries a share, or else the fastest."""
        share = demand / max(1, sum(available.values()))
        counts = {}
        for gpu, count in available.items():
            paces, qualities = self.paces[gpu], self.setting.qualities
            enough = [level for level, pace in enumerate(paces) if pace >= share and pace > 0]
            if not count or not max(paces):
                continue
            if enough:
                level = max(enough, key=lambda i: (qualities[i], paces[i]))
            else:
                level = max(self.queue_of, key=lambda i: (paces[i], qualities[i]))
            counts[level, gpu] = count
        return counts

    def loads(self, capacity: Sequence[float], servers: Sequence[int]) -> Sequence[float]:
        """Evenly, by worker."""
        del capacity
        return servers
