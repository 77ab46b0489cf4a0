"""Pods and documents for tests of the operator's pure parts."""

from __future__ import annotations

from typing import Any

from argus_core.spec import ArgusCluster, parse_cluster
from argus_operator.pods import Pod, pod_of

OWNER = {"kind": "ArgusCluster", "name": "demo", "uid": "1", "apiVersion": "argus.dev/v1alpha1"}


def cluster_of(**spec: Any) -> ArgusCluster:
    """`demo`: one pool of 4 workers, variants `large` and `tiny`."""
    level = {"steps": 8, "seconds": {"cpu": 1}}
    return parse_cluster(
        {
            "apiVersion": "argus.dev/v1alpha1",
            "kind": "ArgusCluster",
            "metadata": {"name": "demo", "namespace": "here"},
            "spec": {
                "pools": [{"name": "cpu", "workers": 4}],
                "variants": [
                    {"name": "large", "model": "l", "family": "f"},
                    {"name": "tiny", "model": "t", "family": "f"},
                ],
                "ladder": [
                    {"name": "best", "variant": "large", "quality": 1.0, **level},
                    {"name": "quick", "variant": "tiny", "quality": 0.5, **level},
                ],
                **spec,
            },
        }
    )


def pod(name: str = "demo-cpu-0", *, role: str = "worker", revision: str = "new", **status) -> Pod:
    """As the API server tells of it; running and ready unless said otherwise."""
    return pod_of(raw(name, role=role, revision=revision, **status))


def raw(
    name: str = "demo-cpu-0",
    *,
    role: str = "worker",
    revision: str = "new",
    phase: str = "Running",
    ready: bool = True,
    terminating: bool = False,
    owner: str = "demo-cpu",
    waiting: str = "",
    restarts: int = 0,
    unschedulable: str = "",
    secured: bool = False,
) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": str(ready)}]
    if unschedulable:
        conditions.append(
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": unschedulable,
            }
        )
    meta: dict[str, Any] = {
        "name": name,
        "uid": f"uid-{name}",
        "labels": {
            "argus.dev/role": role,
            "argus.dev/pool": "cpu" if role == "worker" else "",
            "controller-revision-hash": revision,
        },
        "ownerReferences": [{"name": owner, "controller": True}] if owner else [],
    }
    if secured:
        meta["annotations"] = {"argus.dev/internal-tls": "true"}
    if terminating:
        meta["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    container = {"restartCount": restarts, "state": {}}
    if waiting:
        container["state"] = {"waiting": {"reason": waiting, "message": "because"}}
    status = {
        "phase": phase,
        "podIP": "10.0.0.1",
        "conditions": conditions,
        "containerStatuses": [container],
    }
    return {"metadata": meta, "status": status}
