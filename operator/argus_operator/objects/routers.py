"""The routers: what requests meet."""

from __future__ import annotations

from math import ceil
from typing import Any

from argus_core.spec import ArgusCluster, Router
from argus_operator import names
from argus_operator.objects.common import (
    DOCUMENT_PATH,
    internal,
    metadata,
    pod_template,
    secret_mount,
    secret_volume,
)
from argus_operator.objects.document import CONTROL_KEYS, read_by_services
from argus_operator.objects.workers import grace
from argus_operator.settings import Settings

_MARGIN = 10
_TLS, _KEYS = "/etc/argus-tls", "/etc/argus-keys"
"""Where a router finds its certificate, and the file of API keys."""


def objects(cluster: ArgusCluster, settings: Settings) -> list[dict[str, Any]]:
    """Deployment, Services and PodDisruptionBudget."""
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
    services = [_service(cluster, settings), _each(cluster, settings)]
    return [_deployment(cluster, settings), *services, budget]


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


def _each(cluster: ArgusCluster, settings: Settings) -> dict[str, Any]:
    """The Service under whose name each router that answers has its own address.

    Whoever wants to hear every router asks there; its ports are those of the pods.
    """
    name = cluster.metadata.name
    ports = {"grpc": settings.ports.router_grpc, "http": settings.ports.router_http}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(name, names.routers_service(name), names.ROUTER),
        "spec": {
            "clusterIP": "None",
            "selector": names.labels(name, names.ROUTER),
            "ports": [
                {"name": port, "port": number, "protocol": "TCP"} for port, number in ports.items()
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
    probe = settings.ports.router_probe
    workers = names.workers_service(name)
    arguments = [
        f"--cluster={DOCUMENT_PATH}/cluster.yaml",
        f"--worker=dns:///{workers}.{cluster.metadata.namespace}.svc:{settings.ports.worker}",
        f"--grpc=0.0.0.0:{grpc}",
        f"--http=0.0.0.0:{http}",
        f"--probe=0.0.0.0:{probe}",
        f"--grace={seconds:g}",
    ]
    if cluster.spec.predictor.replicas:
        predictor = names.part(name, names.PREDICTOR)
        arguments.append(f"--predictor={predictor}:{settings.ports.predictor}")
    secrets, within = _secrets(cluster.spec.router), internal(cluster.spec.internal_tls)
    arguments += [*_guarded(cluster.spec.router), *within.args]
    # A kubelet has no certificate, and is not turned away where clients hold all connections.
    healthy = {"httpGet": {"path": "/healthz", "port": "probe"}}
    container = {
        "image": settings.images.router,
        "imagePullPolicy": settings.images.pull_policy,
        "args": arguments,
        "ports": [
            {"name": "grpc", "containerPort": grpc, "protocol": "TCP"},
            {"name": "http", "containerPort": http, "protocol": "TCP"},
            {"name": "probe", "containerPort": probe, "protocol": "TCP"},
        ],
        "startupProbe": {**healthy, "periodSeconds": 1, "failureThreshold": 60},
        # Ready is who answers; without workers it refuses and says why, which is an answer.
        "readinessProbe": {**healthy, "periodSeconds": 5},
        "livenessProbe": {
            **healthy,
            "periodSeconds": 20,
            "timeoutSeconds": 5,
            "failureThreshold": 3,
        },
        "resources": {"requests": {"cpu": "250m", "memory": "256Mi"}},
        "volumeMounts": [
            *(secret_mount(name, path) for name, path, _ in secrets),
            *within.mounts,
        ],
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
            "volumes": [
                *(secret_volume(name, secret) for name, _, secret in secrets),
                *within.volumes,
            ],
        },
        read=read_by_services(cluster.spec),
        override=cluster.spec.router.pod_template,
        annotations=within.annotations,
    )


def _guarded(router: Router) -> list[str]:
    """Arguments of a router with a certificate, and of one that asks for keys."""
    found = []
    if router.tls is not None:
        found += [f"--tls-cert={_TLS}/tls.crt", f"--tls-key={_TLS}/tls.key"]
        if router.tls.client_certificates:
            found.append(f"--tls-client-ca={_TLS}/ca.crt")
    if router.api_keys is not None:
        found += [f"--keys={_KEYS}/keys", f"--keys={DOCUMENT_PATH}/{CONTROL_KEYS}"]
    return found


def _secrets(router: Router) -> list[tuple[str, str, str]]:
    """Secrets that are mounted: name of the volume, path and name of the Secret."""
    found = []
    if router.tls is not None:
        found.append(("tls", _TLS, router.tls.secret_name))
    if router.api_keys is not None:
        found.append(("keys", _KEYS, router.api_keys.secret_name))
    return found
