"""The loadouts of a cluster that nobody has planned yet: every variant held somewhere.

Not an optimum, only a fair beginning: it knows no load. The control loop moves on from here.
"""

from __future__ import annotations

from collections.abc import Sequence

from argus_core.spec import ClusterSpec

Loadout = tuple[str, ...]


def spread(variants: Sequence[str], workers: int) -> tuple[Loadout, ...]:
    """One loadout a worker, in the workers' order.

    Every variant is held by a worker or more, and no worker holds none. Where there are
    workers enough each holds one variant, and no variant has two workers more than another;
    where there are not, no worker holds two variants more than another. Earlier variants get
    the odd worker.
    """
    assert variants, "nothing to spread"
    assert workers > 0, "nobody to spread over"
    if workers >= len(variants):
        return tuple((variants[i % len(variants)],) for i in range(workers))
    return tuple(tuple(variants[i::workers]) for i in range(workers))


def spread_cluster(spec: ClusterSpec) -> dict[str, tuple[Loadout, ...]]:
    """The loadouts of every pool's workers, by the pool's name; variants in the spec's order."""
    variants = [variant.name for variant in spec.variants]
    return {pool.name: spread(variants, pool.workers) for pool in spec.pools}
