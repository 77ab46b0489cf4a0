"""What the parts of a cluster have in common."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from argus_core.spec_kubernetes import InternalTls, PodTemplate
from argus_operator import names
from argus_operator.overlay import overlaid

USER = 10001
"""Of the images."""
DOCUMENT_PATH = "/etc/argus"
HASH = "argus.dev/document"
"""Annotation of pod templates: a digest of what the part reads of the document."""
_HARDENED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


_INTERNAL = "/etc/argus-internal"
"""Where a part finds the certificate that it shows to the others."""


@dataclass(frozen=True, kw_only=True)
class Internal:
    """What a part of a cluster with mutual TLS within has for that; of one without, nothing."""

    args: list[str]
    volumes: list[dict[str, Any]]
    mounts: list[dict[str, Any]]
    annotations: dict[str, str]


def internal(tls: InternalTls | None) -> Internal:
    """By the Secret that the document names."""
    if tls is None:
        return Internal(args=[], volumes=[], mounts=[], annotations={})
    return Internal(
        args=[f"--internal-tls={_INTERNAL}"],
        volumes=[secret_volume("internal", tls.secret_name)],
        mounts=[secret_mount("internal", _INTERNAL)],
        annotations={names.INTERNAL_TLS: "true"},
    )


def secret_volume(name: str, secret: str) -> dict[str, Any]:
    """A Secret, readable by the group of the pod alone."""
    return {"name": name, "secret": {"secretName": secret, "defaultMode": 0o440}}


def secret_mount(name: str, path: str) -> dict[str, Any]:
    """All of it: single files of a Secret would not be renewed with it."""
    return {"name": name, "mountPath": path, "readOnly": True}


def probes(port: int) -> dict[str, Any]:
    """Of a container whose gRPC health says whether it serves.

    Alive is who listens: a load may take long, and is no illness.
    """
    return {
        "readinessProbe": {"grpc": {"port": port}, "periodSeconds": 5, "timeoutSeconds": 5},
        "livenessProbe": {
            "tcpSocket": {"port": port},
            "periodSeconds": 20,
            "timeoutSeconds": 5,
            "failureThreshold": 6,
        },
    }


def metadata(
    cluster: str, name: str, role: str | None = None, pool: str | None = None
) -> dict[str, Any]:
    """Of an object of the cluster."""
    recommended = {
        "app.kubernetes.io/name": "argus",
        "app.kubernetes.io/instance": cluster,
        "app.kubernetes.io/managed-by": names.FIELD_MANAGER,
    }
    if role is not None:
        recommended["app.kubernetes.io/component"] = role
    return {"name": name, "labels": {**recommended, **names.labels(cluster, role, pool)}}


def digest(read: Any) -> str:
    """Of what a part reads when it starts: it is started anew when this changes."""
    return sha256(json.dumps(read, sort_keys=True).encode()).hexdigest()[:16]


def pod_template(
    cluster: str,
    role: str,
    *,
    container: dict[str, Any],
    spec: dict[str, Any],
    read: Any,
    override: PodTemplate,
    pool: str | None = None,
    annotations: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """A pod of one container that obeys the standard "restricted", with the override laid over it.

    The document lies under /etc/argus, and /tmp may be written to. `spec`'s volumes and the
    container's mounts come on top of those.
    """
    own = metadata(cluster, role, role, pool)
    mounts = [
        {"name": "document", "mountPath": DOCUMENT_PATH, "readOnly": True},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a volume of the pod's own
        *container.get("volumeMounts", ()),
    ]
    volumes = [
        {"name": "document", "configMap": {"name": cluster}},
        {"name": "tmp", "emptyDir": {}},
        *spec.get("volumes", ()),
    ]
    template = {
        "metadata": {
            "labels": own["labels"],
            "annotations": {HASH: digest(read), **(annotations or {})},
        },
        "spec": {
            "serviceAccountName": names.part(cluster, role),
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": USER,
                "runAsGroup": USER,
                "fsGroup": USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            **spec,
            "containers": [
                {"name": role, "securityContext": _HARDENED, **container, "volumeMounts": mounts}
            ],
            "volumes": volumes,
        },
    }
    above = {
        "metadata": override.metadata.model_dump(exclude_defaults=True),
        "spec": override.spec,
    }
    merged: dict[str, Any] = overlaid(template, above)
    # By these the pods are found and owned; an override may add, not take away.
    merged["metadata"]["labels"].update(own["labels"])
    return merged
