"""Where the API server keeps the kinds of objects that the operator knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Kind:
    """A kind of object."""

    api_version: str
    name: str
    plural: str

    def path(self, namespace: str | None, name: str | None = None, part: str | None = None) -> str:
        """Of the collection, of one object in it, or of a part of that, such as `status`."""
        root = "/api" if "/" not in self.api_version else "/apis"
        steps = [root, self.api_version]
        if namespace is not None:
            steps += ["namespaces", namespace]
        return "/".join([*steps, self.plural, *filter(None, (name, part))])


CLUSTER = Kind("argus.dev/v1alpha1", "ArgusCluster", "argusclusters")
POD = Kind("v1", "Pod", "pods")
EVENT = Kind("v1", "Event", "events")
LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases")
STATEFUL_SET = Kind("apps/v1", "StatefulSet", "statefulsets")
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")
SERVICE = Kind("v1", "Service", "services")
CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")
SERVICE_ACCOUNT = Kind("v1", "ServiceAccount", "serviceaccounts")
DISRUPTION_BUDGET = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
NETWORK_POLICY = Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
POD_MONITOR = Kind("monitoring.coreos.com/v1", "PodMonitor", "podmonitors")

OWNED = (
    STATEFUL_SET,
    DEPLOYMENT,
    SERVICE,
    CONFIG_MAP,
    SERVICE_ACCOUNT,
    DISRUPTION_BUDGET,
    NETWORK_POLICY,
)
"""What a cluster is made of, but for what another operator must have brought."""
_BY_NAME = {kind.name: kind for kind in (*OWNED, POD_MONITOR)}


def kind_of(thing: dict[str, Any]) -> Kind:
    """Of an object that the operator makes; KeyError for another."""
    return kind_named(thing["kind"])


def kind_named(name: str) -> Kind:
    """Of this name, if the operator makes objects of it; KeyError for another."""
    return _BY_NAME[name]


def key_of(thing: dict[str, Any]) -> tuple[str, str]:
    """By which an object of a cluster is told from the others: its kind and name."""
    return thing["kind"], thing["metadata"]["name"]
