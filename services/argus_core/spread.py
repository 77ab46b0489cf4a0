"""The loadouts of a cluster that nobody has planned yet: every variant held somewhere.

Not an optimum, only a fair beginning: it knows no load. The control loop moves on from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import comb

from argus_core.spec import ClusterSpec

Loadout = tuple[str, ...]

_CHOICES = 64
"""Loadouts of a pool that are planned with at most."""


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


def choices(variants: Sequence[str], workers: int) -> tuple[Loadout, ...]:
    """The loadouts that a pool's workers may hold, in the variants' order.

    All that are as large as the largest of the even spread, so that no worker is asked for more
    than it would have to hold anyway; where those are too many, the ones of the spread alone.
    """
    size = -(-len(variants) // workers)
    if comb(len(variants), size) <= _CHOICES:
        return tuple(combinations(variants, size))
    return tuple(dict.fromkeys(spread(variants, workers)))
