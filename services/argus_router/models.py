"""What `/v1/models` lists: the ladder's levels, and `auto`."""

from __future__ import annotations

from typing import Any

from argus_core.spec import ClusterSpec
from argus_router.fields import AUTO


def names(spec: ClusterSpec) -> list[str]:
    """`auto`, then the levels from dearest to cheapest."""
    return [AUTO, *(level.name for level in spec.ladder)]


def entry(name: str, spec: ClusterSpec, *, created: int) -> dict[str, Any]:
    """A model in OpenAI's shape; what Argus knows of a level stands under `argus`.

    Args:
        name: one of `names`.
        spec: the cluster's.
        created: seconds since 1970.
    """
    told: dict[str, Any] = {"id": name, "object": "model", "created": created, "owned_by": "argus"}
    for level in spec.ladder:
        if level.name == name:
            told["argus"] = {
                "variant": level.variant,
                "steps": level.steps,
                "skipped_steps": level.skipped_steps,
                "prior_quality": level.quality,
                "seconds_per_image": max(level.seconds[pool.gpu_type] for pool in spec.pools),
            }
    return told
