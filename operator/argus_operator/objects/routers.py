"""The routers: what requests meet."""

from __future__ import annotations

from math import ceil
from typing import Any

from argus_core.spec import ArgusCluster
from argus_operator import names
from argus_operator.objects.common import DOCUMENT_PATH, metadata, pod_template
from argus_operator.objects.document import read_by_services
from argus_operator.objects.workers import grace
from argus_operator.settings import Settings

_MARGIN = 10


def objects(cluster: ArgusCluster, settings: Settings) -> list[dict[str, Any]]:
    """Deployment, Service and PodDisruptionBudget."""
    name = cluster.metadata.name
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(name, names.part(name, names.ROUTER), names.ROUTER),
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": names.labels(name, names.ROUTER)},
        },
    }
    return [_deployment(cluster, settings), _service(cluster, settings), budget]


def ports(cluster: ArgusCluster, settings: Settings) -> tuple[int, int]:
    """Of the Service: gRPC and HTTP."""
    wanted = cluster.spec.router
    return (
        wanted.grpc_port or settings.ports.router_grpc,
        wanted.http_port or settings.ports.router_http,
    )


def _service(cluster: ArgusCluster, settings: Settings) -> dict[str, Any]:
    name = cluster.metadata.name
    grpc, http = ports(cluster, settings)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(name, names.part(name, names.ROUTER), names.ROUTER),
        "spec": {
            "selector": names.labels(name, names.ROUTER),
            "ports": [
                {"name": "grpc", "port": grpc, "targetPort": "grpc", "protocol": "TCP"},
                {"name": "http", "port": http, "targetPort": "http", "protocol": "TCP"},
            ],
        },
    }


def _deployment(cluster: ArgusCluster, settings: Settings) -> dict[str, Any]:
    name = cluster.metadata.name
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(name, names.part(name, names.ROUTER), names.ROUTER),
        "spec": {
            "replicas": cluster.spec.router.replicas,
            "selector": {"matchLabels": names.labels(name, names.ROUTER)},
            # A router holds no GPU: the new one is there before the old one goes.
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
            },
            "template": _template(cluster, settings),
        },
    }


def _template(cluster: ArgusCluster, settings: Settings) -> dict[str, Any]:
    name, seconds = cluster.metadata.name, grace(cluster.spec)
    grpc, http = settings.ports.router_grpc, settings.ports.router_http
    workers = names.workers_service(name)
    arguments = [
        f"--cluster={DOCUMENT_PATH}/cluster.yaml",
        f"--worker=dns:///{workers}.{cluster.metadata.namespace}.svc:{settings.ports.worker}",
        f"--grpc=0.0.0.0:{grpc}",
        f"--http=0.0.0.0:{http}",
        f"--grace={seconds:g}",
    ]
    if cluster.spec.predictor.replicas:
        predictor = names.part(name, names.PREDICTOR)
        arguments.append(f"--predictor={predictor}:{settings.ports.predictor}")
    container = {
        "image": settings.images.router,
        "imagePullPolicy": settings.images.pull_policy,
        "args": arguments,
        "ports": [
            {"name": "grpc", "containerPort": grpc, "protocol": "TCP"},
            {"name": "http", "containerPort": http, "protocol": "TCP"},
        ],
        "startupProbe": {
            "httpGet": {"path": "/healthz", "port": "http"},
            "periodSeconds": 1,
            "failureThreshold": 60,
        },
        # Ready is who answers; without workers it refuses and says why, which is an answer.
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 5},
        "livenessProbe": {
            "httpGet": {"path": "/healthz", "port": "http"},
            "periodSeconds": 20,
            "timeoutSeconds": 5,
            "failureThreshold": 3,
        },
        "resources": {"requests": {"cpu": "250m", "memory": "256Mi"}},
    }
    return pod_template(
        name,
        names.ROUTER,
        container=container,
        spec={
            "terminationGracePeriodSeconds": ceil(seconds) + _MARGIN,
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": names.labels(name, names.ROUTER)},
                }
            ],
        },
        read=read_by_services(cluster.spec),
        override=cluster.spec.router.pod_template,
    )
