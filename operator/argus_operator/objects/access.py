"""Who may do what: service accounts that may do nothing, and who may speak with whom."""

from __future__ import annotations

from typing import Any

from argus_core.spec import ArgusCluster
from argus_core.spec_kubernetes import RouterTls
from argus_operator import names
from argus_operator.objects.common import metadata
from argus_operator.settings import Settings

_OPERATOR = {"app.kubernetes.io/name": "argus-operator"}
_ANYWHERE: dict[str, Any] = {}


def objects(cluster: ArgusCluster, settings: Settings) -> list[dict[str, Any]]:
    """ServiceAccounts, NetworkPolicies, and a PodMonitor where the document asks for one."""
    name, ports = cluster.metadata.name, settings.ports
    routers = {"podSelector": {"matchLabels": names.labels(name, names.ROUTER)}}
    operator = {"namespaceSelector": _ANYWHERE, "podSelector": {"matchLabels": _OPERATOR}}
    accounts = [_account(name, role) for role in (names.WORKER, names.ROUTER, names.PREDICTOR)]
    policies = [
        _policy(
            name,
            names.WORKER,
            _rule([routers, operator], ports.worker),
            _rule([], ports.worker_metrics),
        ),
        _policy(name, names.ROUTER, _rule([], ports.router_grpc, ports.router_http)),
        _policy(
            name,
            names.PREDICTOR,
            _rule([routers, operator], ports.predictor),
            _rule([], ports.predictor_metrics),
        ),
    ]
    monitor = [_monitor(cluster)] if cluster.spec.observability.pod_monitor else []
    return [*accounts, *policies, *monitor]


def _account(cluster: str, role: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata(cluster, names.part(cluster, role), role),
        "automountServiceAccountToken": False,
    }


def _policy(cluster: str, role: str, *rules: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(cluster, names.part(cluster, role), role),
        "spec": {
            "podSelector": {"matchLabels": names.labels(cluster, role)},
            "policyTypes": ["Ingress"],
            "ingress": list(rules),
        },
    }


def _rule(sources: list[dict[str, Any]], *ports: int) -> dict[str, Any]:
    """What may come in; from anywhere where no source is named."""
    rule: dict[str, Any] = {"ports": [{"port": port, "protocol": "TCP"} for port in ports]}
    if sources:
        rule["from"] = sources
    return rule


def _monitor(cluster: ArgusCluster) -> dict[str, Any]:
    name = cluster.metadata.name
    http = _endpoint("http")
    if cluster.spec.router.tls is not None:
        http |= {"scheme": "https", "tlsConfig": _trust(cluster, cluster.spec.router.tls)}
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": metadata(name, name),
        "spec": {
            "selector": {"matchLabels": names.labels(name)},
            "podMetricsEndpoints": [http, _endpoint("metrics")],
        },
    }


def _trust(cluster: ArgusCluster, tls: RouterTls) -> dict[str, Any]:
    """How Prometheus knows routers, whom it asks at addresses that no certificate names.

    A `ca.crt` is had for certain where the document names a Secret for the monitor, or clients need
    certificates; a Secret of type kubernetes.io/tls need not have one.
    """
    own = cluster.spec.observability.monitor_secret_name
    known = {"serverName": names.router_host(cluster.metadata.name, cluster.metadata.namespace)}
    if own is None and not tls.client_certificates:
        return {**known, "insecureSkipVerify": True}
    trusted = {**known, "ca": {"secret": {"name": own or tls.secret_name, "key": "ca.crt"}}}
    if own is None or not tls.client_certificates:
        return trusted
    shown = {"secret": {"name": own, "key": "tls.crt"}}
    return {**trusted, "cert": shown, "keySecret": {"name": own, "key": "tls.key"}}


def _endpoint(port: str) -> dict[str, Any]:
    """Rules know a cluster by the labels `namespace`, which is there anyway, and `cluster`."""
    label = names.CLUSTER.translate(str.maketrans("./-", "___"))
    return {
        "port": port,
        "relabelings": [
            {"sourceLabels": [f"__meta_kubernetes_pod_label_{label}"], "targetLabel": "cluster"}
        ],
    }
