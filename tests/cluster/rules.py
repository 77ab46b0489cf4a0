"""What a namespace allows of pods; there is one rule of a kind, and its name is `rule`."""

from __future__ import annotations

from typing import Any


def quota(**hard: str) -> dict[str, Any]:
    """A ResourceQuota, such as of `pods`."""
    return _rule("ResourceQuota", {"hard": hard})


def limits(**most: str) -> dict[str, Any]:
    """A LimitRange: what a container may have at most, such as of `cpu`."""
    return _rule("LimitRange", {"limits": [{"type": "Container", "max": most}]})


def _rule(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "rule"}, "spec": spec}
