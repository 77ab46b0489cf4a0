"""The document as the services read it."""

from __future__ import annotations

from typing import Any

import yaml

from argus_core.spec import ArgusCluster, ClusterSpec
from argus_operator.objects.common import metadata
from argus_rpc.keys import CONTROL, line

DOCUMENT = "cluster.yaml"
CONTROL_KEYS = "control.keys"
"""Of the ConfigMap: the file of API keys that lets the operator in; of its key it has a digest."""

_OURS: Any = {
    # Heeded by the operator alone.
    "pools": {"__all__": {"pod_template", "resource_name"}},
    "variants": {"__all__": {"minimum_workers", "maximum_workers"}},
    "router": {"pod_template", "replicas", "tls", "api_keys"},
    "predictor": {"pod_template", "replicas"},
    "latent_store": {"claim_name"},
    "planning": True,
    "profile": True,
    "model_volume": True,
    "compile_volume": True,
    "internal_tls": True,
    "observability": True,
}


def objects(cluster: ArgusCluster, control_key: str) -> list[dict[str, Any]]:
    """The ConfigMap that all pods mount."""
    name = cluster.metadata.name
    data = {DOCUMENT: yaml.safe_dump(_document(cluster), sort_keys=False)}
    if cluster.spec.router.api_keys is not None:
        data[CONTROL_KEYS] = line(CONTROL, control_key) + "\n"
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata(name, name),
            "data": data,
        }
    ]


def read_by_services(spec: ClusterSpec) -> dict[str, Any]:
    """What services heed of the document, but for how many workers there are."""
    plain = spec.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=_OURS)
    for pool in plain["pools"]:
        del pool["workers"]
    return plain


def _document(cluster: ArgusCluster) -> dict[str, Any]:
    spec = cluster.spec.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=_OURS)
    where = {"name": cluster.metadata.name, "namespace": cluster.metadata.namespace}
    return {
        "apiVersion": cluster.api_version,
        "kind": cluster.kind,
        "metadata": where,
        "spec": spec,
    }
