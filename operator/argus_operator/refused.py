"""Why the API server would not have a pod, in its owner's words, and what to do about it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_FAILED, _MADE = "FailedCreate", "SuccessfulCreate"
_LIMITS = (
    r"(usage|ratio) per (Container|Pod)",
    r"must be less than or equal to \S+ limit",  # one that a LimitRange has given it
)
_REMEDIES = {
    r"exceeded quota": "raise the namespace's ResourceQuota, or ask for fewer workers or for less",
    r"failed quota": "state for every container in the podTemplate what the ResourceQuota counts",
    r"violates PodSecurity": "take out of the podTemplate what the namespace's label "
    "pod-security.kubernetes.io/enforce forbids, or change the label",
    "|".join(_LIMITS): "state `resources` in the podTemplate that the namespace's LimitRange "
    "allows, or change it",
}
"""By what the API server says, what can be done about it."""


def remedy(why: str) -> str:
    """What to do about a refusal in the API server's words; empty where these are not known."""
    return next((what for known, what in _REMEDIES.items() if re.search(known, why)), "")


def of_deployment(thing: Mapping[str, Any]) -> str:
    """Why its pods cannot be made; empty where they can, for what is known."""
    for condition in thing.get("status", {}).get("conditions", ()):
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return str(condition.get("message") or condition.get("reason", ""))
    return ""


def of_events(events: Sequence[Mapping[str, Any]]) -> str:
    """Why the last pod could not be made; empty where none was tried, or one was made since."""
    told = [event for event in events if event.get("reason") in (_FAILED, _MADE)]
    if not told:
        return ""
    last = max(told, key=lambda event: (_when(event), event["reason"] == _FAILED))
    if last["reason"] == _MADE:
        return ""
    message: str = last.get("message", "")
    return message.partition(" failed error: ")[2] or message


def _when(event: Mapping[str, Any]) -> str:
    """RFC 3339, to the second, so that it can be compared as it is."""
    series = event.get("series") or {}
    when = (
        event.get("lastTimestamp") or series.get("lastObservedTime") or event.get("eventTime") or ""
    )
    return str(when)[:19]
