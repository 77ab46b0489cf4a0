"""Workers' pods as the operator sees them: what the API server says, in few words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from argus_core.spread import Loadout
from argus_operator import names

_REVISION = "controller-revision-hash"
_IMAGE = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
_CRASHES = 3
"""Restarts from which on a container that waits is said to crash."""


class Trouble(StrEnum):
    """What keeps a pod from serving."""

    UNSCHEDULABLE = "unschedulable"
    IMAGE = "image"
    CRASHING = "crashing"
    FAILED = "failed"
    """It ended, or was evicted."""


@dataclass(frozen=True, kw_only=True)
class Pod:
    """A pod of a cluster."""

    name: str
    uid: str
    role: str
    pool: str
    """Empty for one that is no worker."""
    owner: str
    """Name of its controller; empty for none."""
    address: str
    """Its IP; empty before it has one."""
    node: str
    ready: bool
    running: bool
    terminating: bool
    revision: str
    trouble: Trouble | None
    message: str
    """Says what the trouble is."""
    created: str
    labels: dict[str, str]
    annotations: dict[str, str]

    @property
    def loadout(self) -> Loadout:
        """What it was told to hold; empty for nothing."""
        return _split(self.annotations.get(names.LOADOUT, ""))

    @property
    def secured(self) -> bool:
        """Whether it speaks mutual TLS alone with the cluster's other parts."""
        return self.annotations.get(names.INTERNAL_TLS) == "true"

    @property
    def pin(self) -> Loadout:
        """What it is pinned to; empty for nothing."""
        return _split(self.annotations.get(names.PINNED, ""))


def pod_of(thing: dict[str, Any]) -> Pod:
    """From the API server's words."""
    meta, status = thing["metadata"], thing.get("status", {})
    labels = meta.get("labels") or {}
    owner = next((o["name"] for o in meta.get("ownerReferences", ()) if o.get("controller")), "")
    conditions = {c["type"]: c for c in status.get("conditions", ())}
    trouble, message = _trouble(status, conditions)
    return Pod(
        name=meta["name"],
        uid=meta["uid"],
        role=labels.get(names.ROLE, ""),
        pool=labels.get(names.POOL, ""),
        owner=owner,
        address=status.get("podIP", ""),
        node=thing.get("spec", {}).get("nodeName", ""),
        ready=conditions.get("Ready", {}).get("status") == "True",
        running=status.get("phase") == "Running",
        terminating="deletionTimestamp" in meta,
        revision=labels.get(_REVISION, ""),
        trouble=trouble,
        message=message,
        created=meta.get("creationTimestamp", ""),
        labels=labels,
        annotations=meta.get("annotations") or {},
    )


def _trouble(
    status: dict[str, Any], conditions: dict[str, dict[str, Any]]
) -> tuple[Trouble | None, str]:
    if status.get("phase") in ("Failed", "Succeeded"):
        reason = status.get("reason") or status["phase"]
        return Trouble.FAILED, f"{reason}: {status.get('message') or 'its container ended'}"
    scheduled = conditions.get("PodScheduled", {})
    pending = status.get("phase") in (None, "Pending")
    if pending and scheduled.get("reason") == "Unschedulable":
        return Trouble.UNSCHEDULABLE, scheduled.get("message", "no node has room")
    containers = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
    for container in containers:
        waiting = container.get("state", {}).get("waiting") or {}
        reason, message = waiting.get("reason", ""), waiting.get("message", "")
        if reason in _IMAGE:
            return Trouble.IMAGE, message or reason
        if reason == "CrashLoopBackOff" or (
            reason and container.get("restartCount", 0) >= _CRASHES
        ):
            last = container.get("lastState", {}).get("terminated") or {}
            return Trouble.CRASHING, f"ended with status {last.get('exitCode', '?')}; {message}"
    return None, ""


def _split(text: str) -> Loadout:
    return tuple(name.strip() for name in text.split(",") if name.strip())
