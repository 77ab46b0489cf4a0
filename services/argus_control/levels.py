"""What an ArgusCluster document says to the planner; quick to import."""

from __future__ import annotations

from argus_core.planning.problem import LevelProfile
from argus_core.spec import ClusterSpec


def levels_of(spec: ClusterSpec) -> tuple[LevelProfile, ...]:
    """The ladder's levels with the document's seconds."""
    return tuple(
        LevelProfile(
            name=level.name,
            variant=level.variant,
            seconds=dict(level.seconds),
            needs_start=level.skipped_steps > 0,
        )
        for level in spec.ladder
    )
