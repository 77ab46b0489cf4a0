"""What was planned of late, where it outlives the operator's process."""

from __future__ import annotations

from typing import Any

from argus_core.spec import ArgusCluster
from argus_operator import names
from argus_operator.objects.common import metadata

PLANS = "plans"
KEY = "plans.jsonl"


def objects(cluster: ArgusCluster, plans: str) -> list[dict[str, Any]]:
    """The ConfigMap of plans, once there are any; nothing mounts it."""
    if not plans:
        return []
    name = cluster.metadata.name
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata(name, names.part(name, PLANS)),
            "data": {KEY: plans},
        }
    ]
