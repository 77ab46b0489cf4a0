"""Who may be drawn together on one worker: what the document's batches say of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from argus_core import batching
from argus_core.spec import ClusterSpec, Level

_ANY = 64
"""Slots that a worker has at most."""


class Company:
    """Answers by level and GPU type; pure."""

    def __init__(self, spec: ClusterSpec) -> None:
        self._ladder = spec.ladder
        self._slots: dict[str, int] = {}
        for pool in spec.pools:
            self._slots[pool.gpu_type] = max(pool.slots, self._slots.get(pool.gpu_type, 1))

    def gains(self, level: Level, gpu_type: str, images: int) -> bool:
        """Whether so many at once make each cheaper; as many as there are slots, where unknown."""
        return images <= batching.most(level.batches.get(gpu_type, ()), _ANY)

    def most(self, variants: Iterable[str], gpu_type: str) -> int | None:
        """Images at once that gain at some level of these variants; None where that is unknown."""
        mine = [level for level in self._ladder if level.variant in set(variants)]
        if not mine or not all(gpu_type in level.batches for level in mine):
            return None
        return max(batching.most(level.batches[gpu_type], _ANY) for level in mine)

    def longer(self, level: Level, gpu_type: str, images: int) -> float:
        """Times as long as beside one image fewer that so many at once take."""
        batches = level.batches.get(gpu_type, ())
        return batching.times(batches, images) / batching.times(batches, max(1, images - 1))

    def full(self, level: Level) -> Mapping[str, float]:
        """Seconds of an image by GPU type, where as many are drawn at once as gains."""
        found = {}
        for gpu, seconds in level.seconds.items():
            batches = level.batches.get(gpu, ())
            images = batching.most(batches, self._slots.get(gpu, 1))
            found[gpu] = seconds * batching.times(batches, images)
        return found
