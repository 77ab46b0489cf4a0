"""Rights that a role grants, and rights that were used, as the API server's audit log tells."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from cluster.kubernetes import Kubernetes

Right = tuple[str, str, str]
"""API group, resource (with its subresource behind a slash) and verb."""

_POD_MONITOR = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "podmonitors.monitoring.coreos.com"},
    "spec": {
        "group": "monitoring.coreos.com",
        "scope": "Namespaced",
        "names": {"kind": "PodMonitor", "plural": "podmonitors", "singular": "podmonitor"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                    }
                },
            }
        ],
    },
}
"""As much of the Prometheus operator's as the operator writes to."""
_DENIED = re.compile(r"cannot (\w+) resource")


def granted(rules: Iterable[dict[str, Any]]) -> set[Right]:
    """All that the rules of a role allow."""
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def used(audit: Path, account: str, *, since: int = 0) -> dict[Right, int]:
    """What an account asked for, and how often it was forbidden.

    Args:
        audit: the API server's log.
        account: of a service, as `NAMESPACE:NAME`.
        since: bytes of the log that are passed over.
    """
    found: dict[Right, int] = {}
    for right, status in _asked(audit, account, since):
        found[right] = found.get(right, 0) + (status.get("code") == 403)
    return found


def forbidden(audit: Path, account: str, *, since: int = 0) -> set[Right]:
    """What an account lacked; arguments as of `used`.

    An apply that would make something asks to patch, and is forbidden to create.
    """
    return {
        (*right[:2], denied[1] if denied else right[2])
        for right, status in _asked(audit, account, since)
        if status.get("code") == 403
        for denied in [_DENIED.search(status.get("message", ""))]
    }


def _asked(audit: Path, account: str, since: int) -> Iterator[tuple[Right, dict[str, Any]]]:
    """Each request, and what was answered; a line that is being written is passed over."""
    for line in audit.read_bytes()[since:].splitlines(keepends=True):
        if not line.endswith(b"\n"):
            return
        event = json.loads(line)
        asked = event.get("objectRef")
        if event["user"]["username"] != f"system:serviceaccount:{account}" or not asked:
            continue
        resource = "/".join(filter(None, (asked.get("resource"), asked.get("subresource"))))
        right = (asked.get("apiGroup", ""), resource, event["verb"])
        yield right, event.get("responseStatus", {})


def knows_pod_monitors(cluster: Kubernetes) -> None:
    """Have the API server know the kind, as where the Prometheus operator is installed."""
    cluster.apply(_POD_MONITOR)
    cluster.wait_for_kind(_POD_MONITOR["metadata"]["name"])


class Account:
    """The operator's, with the roles of the chart, from which rights can be taken."""

    def __init__(self, cluster: Kubernetes, rendered: list[dict[str, Any]], folder: Path) -> None:
        """`rendered`: the chart's documents, for the namespace that the account is in."""
        self._cluster, self._audit = cluster, cluster.state / "log" / "audit.log"
        self._roles = [made for made in rendered if "rules" in made]
        (account,) = (made for made in rendered if made["kind"] == "ServiceAccount")
        self.namespace = account["metadata"]["namespace"]
        self._name = account["metadata"]["name"]
        bindings = [made for made in rendered if made["kind"].endswith("RoleBinding")]
        cluster.make_namespace(self.namespace)
        cluster.apply(account, *self._roles, *bindings, namespace=self.namespace)
        self.rights = granted(rule for role in self._roles for rule in role["rules"])
        self.kubeconfig = kubeconfig_of(
            cluster, self.namespace, self._name, folder / "operator.kubeconfig"
        )

    @contextmanager
    def without(self, *rights: Right) -> Iterator[int]:
        """Rights that it lacks while the block runs; yields where the audit log then is."""
        self._put(_less(role, rights) for role in self._roles)
        try:
            yield self._audit.stat().st_size
        finally:
            self._put(self._roles)

    def _put(self, roles: Iterable[dict[str, Any]]) -> None:
        self._cluster.apply(*roles, namespace=self.namespace)

    def missed(self, since: int) -> set[Right]:
        """What it was forbidden since then."""
        return forbidden(self._audit, f"{self.namespace}:{self._name}", since=since)


def kubeconfig_of(cluster: Kubernetes, namespace: str, account: str, path: Path) -> Path:
    """A kubeconfig with which one asks as a service account, written there."""
    token = cluster.kubectl("create", "token", account, "-n", namespace).strip()
    known = yaml.safe_load(cluster.kubeconfig.read_text())
    (user,) = known["users"]
    user["user"] = {"token": token}
    path.write_text(yaml.safe_dump(known))
    return path


def _less(role: dict[str, Any], rights: Iterable[Right]) -> dict[str, Any]:
    """The role without some of its rights, each in a rule of its own."""
    kept = [
        {**rule, "apiGroups": [group], "resources": [resource], "verbs": [verb]}
        for rule in role["rules"]
        for group, resource, verb in sorted(granted([rule]) - set(rights))
    ]
    return {**role, "rules": kept}
