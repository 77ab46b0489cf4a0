"""The conditions of a cluster, and the one word why each holds or not.

docs/operator.md has a line for every reason, and the CRD an enum of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class ConditionType(StrEnum):
    """What is told of."""

    READY = "Ready"
    PLAN_CURRENT = "PlanCurrent"
    WITHIN_BUDGET = "WithinBudget"
    SLO_MET = "SLOMet"
    PROGRESSING = "Progressing"
    PROFILE_CURRENT = "ProfileCurrent"


class ReadyReason(StrEnum):
    """Of Ready."""

    SERVING = "Serving"
    NO_ROUTER = "NoRouter"
    NO_READY_WORKERS = "NoReadyWorkers"
    INVALID_DOCUMENT = "InvalidDocument"
    APPLY_REFUSED = "ApplyRefused"


class PlanReason(StrEnum):
    """Of PlanCurrent."""

    FOLLOWED = "Followed"
    NO_LOAD_YET = "NoLoadYet"
    ADVISORY = "Advisory"
    OFF = "PlanningOff"
    PAUSED = "Paused"
    STALE_LOAD = "StaleLoad"
    ROUTER_BEHIND = "RouterBehind"


class BudgetReason(StrEnum):
    """Of WithinBudget."""

    WITHIN = "Within"
    SHRINKING = "Shrinking"
    EXCEEDED = "Exceeded"


class SloReason(StrEnum):
    """Of SLOMet."""

    MET = "Met"
    MISSED = "Missed"
    NO_TRAFFIC = "NoTraffic"
    NO_REPORTS = "NoReports"


class ProgressReason(StrEnum):
    """Of Progressing."""

    SETTLED = "Settled"
    PAUSED = "Paused"
    STARTING = "Starting"
    SWITCHING = "Switching"
    ROLLING = "Rolling"
    SCALING = "Scaling"
    STUCK = "Stuck"
    PODS_REFUSED = "PodsRefused"
    UNSCHEDULABLE = "Unschedulable"
    IMAGE_UNAVAILABLE = "ImageUnavailable"
    CRASHING = "Crashing"


class FiguresReason(StrEnum):
    """Of ProfileCurrent."""

    APPLIED = "ProfileApplied"
    STATED = "Stated"
    GUESSED = "Guessed"
    MISSING = "ProfileMissing"
    REFUSED = "ProfileRefused"


_LONGEST = 4000
"""Characters of a message: the definition has a bound, and what others write may have none."""

Reason = ReadyReason | PlanReason | BudgetReason | SloReason | ProgressReason | FiguresReason
REASONS = (ReadyReason, PlanReason, BudgetReason, SloReason, ProgressReason, FiguresReason)


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One thing that holds, or not, or is not known."""

    type: ConditionType
    holds: bool | None
    """None where it is not known."""
    reason: Reason
    message: str
    """Why, in a sentence."""


def written(
    conditions: Iterable[Condition],
    standing: Iterable[dict[str, Any]],
    *,
    generation: int,
    now: str,
) -> list[dict[str, Any]]:
    """As the status has them; `lastTransitionTime` is `now` only where the status has changed.

    Args:
        conditions: all there are.
        standing: those of the status as it is.
        generation: of the document that they are about.
        now: RFC 3339.
    """
    before = {condition["type"]: condition for condition in standing}
    return [_written(c, before.get(c.type, {}), generation, now) for c in conditions]


def _written(
    condition: Condition, before: dict[str, Any], generation: int, now: str
) -> dict[str, Any]:
    status = {True: "True", False: "False", None: "Unknown"}[condition.holds]
    since = before.get("lastTransitionTime", now) if before.get("status") == status else now
    return {
        "type": condition.type.value,
        "status": status,
        "reason": condition.reason.value,
        "message": condition.message[:_LONGEST],
        "lastTransitionTime": since,
        "observedGeneration": generation,
    }
