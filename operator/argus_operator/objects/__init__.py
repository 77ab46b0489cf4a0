"""From a document to the objects of Kubernetes: plain dicts, made by pure functions."""

from __future__ import annotations

from typing import Any

from argus_core.spec import ArgusCluster
from argus_operator.objects import access, document, history, predictor, routers, workers
from argus_operator.settings import Settings

Object = dict[str, Any]


def build(
    cluster: ArgusCluster, settings: Settings, owner: Object, *, plans: str = ""
) -> list[Object]:
    """All that belongs to a cluster, in the order in which it is applied.

    Args:
        cluster: what it shall be.
        settings: the operator's own.
        owner: an ownerReference to the ArgusCluster, by which Kubernetes deletes all with it.
        plans: the history of its plans.
    """
    found = [
        *access.objects(cluster, settings),
        *document.objects(cluster, settings.control_key),
        *predictor.objects(cluster, settings),
        *workers.objects(cluster, settings),
        *routers.objects(cluster, settings),
        *history.objects(cluster, plans),
    ]
    for each in found:
        each["metadata"]["namespace"] = cluster.metadata.namespace
        each["metadata"]["ownerReferences"] = [owner]
    return found
