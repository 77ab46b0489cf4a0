"""What an ArgusCluster document says to the planner; quick to import."""

from __future__ import annotations

from argus_core import batching
from argus_core.planning.problem import LevelProfile
from argus_core.spec import ClusterSpec, Level


def levels_of(spec: ClusterSpec) -> tuple[LevelProfile, ...]:
    """The ladder's levels with the document's seconds, and batches that gain on every pool."""
    return tuple(
        LevelProfile(
            name=level.name,
            variant=level.variant,
            seconds=dict(level.seconds),
            batches=_batches(level, spec),
            needs_start=level.skipped_steps > 0,
        )
        for level in spec.ladder
    )


def worker_seconds(level: Level, spec: ClusterSpec) -> dict[str, float]:
    """By GPU type: what an image has of a worker that draws as many at once as gains."""
    slots = slots_of(spec)
    return {
        gpu: seconds * batching.part(level, gpu, slots.get(gpu, 1))
        for gpu, seconds in level.seconds.items()
    }


def slots_of(spec: ClusterSpec) -> dict[str, int]:
    """By GPU type: the fewest of any pool of it."""
    found: dict[str, int] = {}
    for pool in spec.pools:
        found[pool.gpu_type] = min(pool.slots, found.get(pool.gpu_type, pool.slots))
    return found


def _batches(level: Level, spec: ClusterSpec) -> tuple[float, ...]:
    """The dearest of any GPU type, as far as all gain by them."""
    found = []
    for gpu, slots in slots_of(spec).items():
        batches = level.batches.get(gpu, (1.0,))
        found.append(batches[: batching.most(batches, slots)])
    return tuple(max(same) for same in zip(*found, strict=False))
