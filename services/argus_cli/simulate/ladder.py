"""What an ArgusCluster document says to the planner and the simulator."""

from __future__ import annotations

from argus_control.levels import levels_of
from argus_core.errors import InvalidRequest
from argus_core.spec import ClusterSpec, Pool

__all__ = ["levels_of", "pool_of", "qualities_of", "workers_of"]


def qualities_of(spec: ClusterSpec) -> tuple[float, ...]:
    """The ladder's prior qualities."""
    return tuple(level.quality for level in spec.ladder)


def pool_of(spec: ClusterSpec, name: str | None) -> Pool:
    """The pool that is sized: the one named, or else the first.

    Raises:
        InvalidRequest: `--pool` names none.
    """
    if name is None:
        return spec.pools[0]
    for pool in spec.pools:
        if pool.name == name:
            return pool
    known = ", ".join(pool.name for pool in spec.pools)
    raise InvalidRequest.one("--pool", f"there is no pool {name!r}; there are {known}")


def workers_of(spec: ClusterSpec, count: int | None, pool: Pool) -> tuple[str, ...]:
    """GPU type of each worker; the pool given has `count` of them where that is not None."""
    return tuple(
        p.gpu_type
        for p in spec.pools
        for _ in range(p.workers if count is None or p is not pool else count)
    )
