"""Rights that a role grants, and rights that were used, as the API server's audit log tells."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Right = tuple[str, str, str]
"""API group, resource (with its subresource behind a slash) and verb."""


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
    for line in audit.read_bytes()[since:].splitlines():
        event = json.loads(line)
        asked = event.get("objectRef")
        if event["user"]["username"] != f"system:serviceaccount:{account}" or not asked:
            continue
        resource = "/".join(filter(None, (asked.get("resource"), asked.get("subresource"))))
        right = (asked.get("apiGroup", ""), resource, event["verb"])
        forbidden = event.get("responseStatus", {}).get("code") == 403
        found[right] = found.get(right, 0) + forbidden
    return found
