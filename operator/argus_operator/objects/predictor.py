"""The predictor: one at most, as it learns."""

from __future__ import annotations

from typing import Any

from argus_core.spec import ArgusCluster
from argus_operator import names
from argus_operator.objects.common import (
    DOCUMENT_PATH,
    internal,
    metadata,
    pod_template,
    probes,
)
from argus_operator.objects.workers import latent_secrets, latent_volume
from argus_operator.settings import Settings


def objects(cluster: ArgusCluster, settings: Settings) -> list[dict[str, Any]]:
    """Deployment and Service."""
    name = cluster.metadata.name
    own = names.part(name, names.PREDICTOR)
    port = settings.ports.predictor
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(name, own, names.PREDICTOR),
        "spec": {
            "selector": names.labels(name, names.PREDICTOR),
            "ports": [{"name": "grpc", "port": port, "targetPort": "grpc", "protocol": "TCP"}],
        },
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(name, own, names.PREDICTOR),
        "spec": {
            "replicas": cluster.spec.predictor.replicas,
            "selector": {"matchLabels": names.labels(name, names.PREDICTOR)},
            "strategy": {"type": "Recreate"},
            "template": _template(cluster, settings),
        },
    }
    return [deployment, service]


def _template(cluster: ArgusCluster, settings: Settings) -> dict[str, Any]:
    spec, port, metrics = cluster.spec, settings.ports.predictor, settings.ports.predictor_metrics
    shared, within = latent_volume(spec), internal(spec.internal_tls)
    probe = settings.ports.predictor_probe if within.args else port
    container = {
        "image": settings.images.predictor,
        "imagePullPolicy": settings.images.pull_policy,
        "args": [
            f"--cluster={DOCUMENT_PATH}/cluster.yaml",
            f"--address=0.0.0.0:{port}",
            "--state-dir=/var/lib/argus",
            f"--metrics-port={metrics}",
            *within.args,
            *([f"--probe=0.0.0.0:{probe}"] if within.args else []),
        ],
        "env": latent_secrets(spec),
        "ports": [
            {"name": "grpc", "containerPort": port, "protocol": "TCP"},
            {"name": "metrics", "containerPort": metrics, "protocol": "TCP"},
        ],
        "startupProbe": {"grpc": {"port": probe}, "periodSeconds": 2, "failureThreshold": 150},
        **probes(probe),
        "resources": {"requests": {"cpu": "250m", "memory": "512Mi"}},
        "volumeMounts": [
            {"name": "state", "mountPath": "/var/lib/argus"},
            *(mount for _, mount in shared),
            *within.mounts,
        ],
    }
    read = {
        "spec": spec.predictor.model_dump(mode="json", exclude={"pod_template", "replicas"}),
        "ladder": [level.model_dump(mode="json") for level in spec.ladder],
        "store": spec.latent_store.model_dump(mode="json") if spec.latent_store else None,
        "size": spec.default_size.model_dump(mode="json"),
    }
    return pod_template(
        cluster.metadata.name,
        names.PREDICTOR,
        container=container,
        spec={
            "terminationGracePeriodSeconds": 30,
            "volumes": [
                {"name": "state", "emptyDir": {}},
                *(volume for volume, _ in shared),
                *within.volumes,
            ],
        },
        read=read,
        override=spec.predictor.pod_template,
        annotations=within.annotations,
    )
