"""The workers: a StatefulSet a pool.

Not a Deployment: a pod of a StatefulSet is made anew only once the old one is gone for good, so
that there are never more pods than the pool has workers, those that end included. The operator
itself deletes pods of an older template, a few at a time (`OnDelete`).
"""

from __future__ import annotations

from math import ceil
from typing import Any

from argus_core.spec import ArgusCluster, ClusterSpec, Pool
from argus_operator import names
from argus_operator.objects.common import (
    DOCUMENT_PATH,
    internal,
    metadata,
    pod_template,
    probes,
)
from argus_operator.settings import Settings

_GPU = "nvidia.com/gpu"
_DIRECTORY = "directory:"
_MARGIN = 10
"""Seconds between the worker's own end and Kubernetes's."""
_LONGEST_GRACE = 600.0
_COMPILED = "/var/cache/argus"


def objects(cluster: ArgusCluster, settings: Settings) -> list[dict[str, Any]]:
    """Headless Service, and StatefulSet and PodDisruptionBudget for each pool."""
    found = [_service(cluster.metadata.name, settings.ports.worker)]
    for pool in cluster.spec.pools:
        found += [_stateful_set(cluster, pool, settings), _disruption_budget(cluster, pool)]
    return found


def most_unavailable(workers: int) -> int:
    """Workers of a pool that may be away at once for what is planned."""
    return max(1, workers // 4)


def resource(pool: Pool) -> str:
    """What its pods ask for one of; empty for nothing."""
    if pool.resource_name is not None:
        return pool.resource_name
    return "" if pool.gpu_type == "cpu" else _GPU


def grace(spec: ClusterSpec) -> float:
    """Seconds that running images may take when a worker is told to stop."""
    longest = max(max(level.seconds.values()) for level in spec.ladder)
    return min(_LONGEST_GRACE, max(spec.slo.deadline_seconds, 2 * longest))


def _service(cluster: str, port: int) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(cluster, names.workers_service(cluster), names.WORKER),
        "spec": {
            "clusterIP": "None",
            # Routers hear from the worker itself whether it serves, drains or loads.
            "publishNotReadyAddresses": True,
            "selector": names.labels(cluster, names.WORKER),
            "ports": [{"name": "grpc", "port": port, "protocol": "TCP"}],
        },
    }


def _disruption_budget(cluster: ArgusCluster, pool: Pool) -> dict[str, Any]:
    name = cluster.metadata.name
    own = names.workload(name, pool.name)
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(name, own, names.WORKER, pool.name),
        "spec": {
            "maxUnavailable": most_unavailable(pool.workers),
            "selector": {"matchLabels": names.labels(name, names.WORKER, pool.name)},
        },
    }


def _stateful_set(cluster: ArgusCluster, pool: Pool, settings: Settings) -> dict[str, Any]:
    name = cluster.metadata.name
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": metadata(name, names.workload(name, pool.name), names.WORKER, pool.name),
        "spec": {
            "replicas": pool.workers,
            "serviceName": names.workers_service(name),
            "podManagementPolicy": "Parallel",
            "updateStrategy": {"type": "OnDelete"},
            "selector": {"matchLabels": names.labels(name, names.WORKER, pool.name)},
            "template": _template(cluster, pool, settings),
        },
    }


def _template(cluster: ArgusCluster, pool: Pool, settings: Settings) -> dict[str, Any]:
    spec, seconds = cluster.spec, grace(cluster.spec)
    port, metrics = settings.ports.worker, settings.ports.worker_metrics
    volumes, mounts = _volumes(spec)
    within = internal(spec.internal_tls)
    # A kubelet has no certificate to show.
    probe = settings.ports.worker_probe if within.args else port
    device = "cpu" if pool.gpu_type == "cpu" else "cuda"
    container: dict[str, Any] = {
        "image": settings.images.worker,
        "imagePullPolicy": settings.images.pull_policy,
        "args": [
            "--name=$(POD_NAME)",
            f"--pool={pool.name}",
            f"--cluster={DOCUMENT_PATH}/cluster.yaml",
            f"--address=0.0.0.0:{port}",
            f"--metrics-port={metrics}",
            f"--device={device}",
            "--loadout=$(ARGUS_LOADOUT)",
            f"--grace={seconds:g}",
            *([f"--compiled={_COMPILED}"] if spec.compile_volume else []),
            *within.args,
            *([f"--probe=0.0.0.0:{probe}"] if within.args else []),
        ],
        "env": [
            _from_pod("POD_NAME", "metadata.name"),
            # Read anew whenever the container is: it begins with what the pod was told last.
            _from_pod("ARGUS_LOADOUT", f"metadata.annotations['{names.LOADOUT}']"),
            *latent_secrets(spec),
        ],
        "ports": [
            {"name": "grpc", "containerPort": port, "protocol": "TCP"},
            {"name": "metrics", "containerPort": metrics, "protocol": "TCP"},
        ],
        "startupProbe": {"tcpSocket": {"port": probe}, "periodSeconds": 2, "failureThreshold": 150},
        **probes(probe),
        "resources": _resources(pool),
        "volumeMounts": [*mounts, *within.mounts],
    }
    return pod_template(
        cluster.metadata.name,
        names.WORKER,
        container=container,
        spec={
            "terminationGracePeriodSeconds": ceil(seconds) + _MARGIN,
            "topologySpreadConstraints": [_spread(cluster.metadata.name)],
            "volumes": [*volumes, *within.volumes],
        },
        read=_read(spec, pool),
        override=pool.pod_template,
        pool=pool.name,
        annotations=within.annotations,
    )


def _read(spec: ClusterSpec, pool: Pool) -> Any:
    """What a worker heeds of the document."""
    variants = [
        v.model_dump(mode="json", exclude={"minimum_workers", "maximum_workers"})
        for v in spec.variants
    ]
    store = spec.latent_store.model_dump(mode="json") if spec.latent_store else None
    own = pool.model_dump(mode="json", include={"name", "threads", "slots"})
    return [variants, store, own]


def _volumes(spec: ClusterSpec) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    volumes, mounts = [], []
    if models := spec.model_volume:
        claim = {"claimName": models.claim_name, "readOnly": True}
        volumes.append({"name": "models", "persistentVolumeClaim": claim})
        mounts.append({"name": "models", "mountPath": models.mount_path, "readOnly": True})
    if compiled := spec.compile_volume:
        claim = {"claimName": compiled.claim_name}
        volumes.append({"name": "compiled", "persistentVolumeClaim": claim})
        mounts.append({"name": "compiled", "mountPath": _COMPILED})
    for volume, mount in latent_volume(spec):
        volumes.append(volume)
        mounts.append(mount)
    return volumes, mounts


def latent_volume(spec: ClusterSpec) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Volume and mount of a latent store that is a directory with a claim; else none."""
    store = spec.latent_store
    if store is None or store.claim_name is None:
        return []
    if store.url is None or not store.url.startswith(_DIRECTORY):
        return []
    claim = {"claimName": store.claim_name}
    mount = {"name": "latents", "mountPath": store.url.removeprefix(_DIRECTORY)}
    return [({"name": "latents", "persistentVolumeClaim": claim}, mount)]


def latent_secrets(spec: ClusterSpec) -> list[dict[str, Any]]:
    """Environment that a Secret tells of the latent store; without one there is none."""
    store = spec.latent_store
    if store is None or store.secret_name is None:
        return []

    def told(name: str, key: str, *, optional: bool) -> dict[str, Any]:
        source = {"name": store.secret_name, "key": key, "optional": optional}
        return {"name": name, "valueFrom": {"secretKeyRef": source}}

    key = told("ARGUS_LATENT_SECRET", "checksum-key", optional=True)
    return [key] if store.url else [told("ARGUS_LATENT_URL", "url", optional=False), key]


def _resources(pool: Pool) -> dict[str, Any]:
    wanted: dict[str, Any] = {"requests": {"cpu": str(pool.threads)}}
    if device := resource(pool):
        wanted["requests"][device] = "1"
        wanted["limits"] = {device: "1"}
    return wanted


def _from_pod(name: str, path: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}


def _spread(cluster: str) -> dict[str, Any]:
    return {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": names.labels(cluster, names.WORKER)},
    }
