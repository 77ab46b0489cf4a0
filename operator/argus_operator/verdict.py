"""Which conditions hold for what was seen of a cluster, and why. Pure.

docs/operator.md has a heading for every reason here: what it means, and what to do.
"""

from __future__ import annotations

from argus_control.mode import Mode
from argus_operator.conditions import (
    BudgetReason,
    Condition,
    ConditionType,
    PlanReason,
    ProgressReason,
    ReadyReason,
    SloReason,
)
from argus_operator.pods import Pod, Trouble
from argus_operator.refused import remedy
from argus_operator.report import Sight

STALE = 60.0
"""Seconds without a report of the load, after which the plan is held."""
STUCK = 600.0
"""Seconds without any worker getting further, after which it is called stuck."""


def conditions(sight: Sight) -> list[Condition]:
    """All that there are, in a stated order."""
    found = [_ready(sight), _plan(sight), _budget(sight), _slo(sight), _progress(sight)]
    return [*found, sight.figures] if sight.figures is not None else found


def invalid(message: str) -> Condition:
    """Ready, of a document that cannot be used."""
    return Condition(
        type=ConditionType.READY,
        holds=False,
        reason=ReadyReason.INVALID_DOCUMENT,
        message=message,
    )


def _ready(sight: Sight) -> Condition:
    routers, ready = sight.routers_ready, sum(account.ready for account in sight.accounts)
    wanted = sum(account.wanted for account in sight.accounts)
    if sight.refusals:
        what, why = next(iter(sight.refusals.items()))
        told = _advised(f"{what} was refused: {why}", remedy(why))
        return _condition(ConditionType.READY, False, ReadyReason.APPLY_REFUSED, told)
    why = "; Progressing says why" if sight.unmade else ""
    if not routers:
        told = f"no router answers{why}"
        return _condition(ConditionType.READY, False, ReadyReason.NO_ROUTER, told)
    if not ready:
        return _condition(
            ConditionType.READY,
            False,
            ReadyReason.NO_READY_WORKERS,
            f"none of {wanted} workers serves{why or _unheard(sight)}",
        )
    told = f"{ready} of {wanted} workers serve, {_many(routers, 'router')} answer"
    return _condition(ConditionType.READY, True, ReadyReason.SERVING, told)


def _unheard(sight: Sight) -> str:
    """Of the first worker that is ready and is not heard, why; empty where there is none."""
    for name, why in sight.unheard.items():
        more = f" (and {len(sight.unheard) - 1} more)" if len(sight.unheard) > 1 else ""
        return f"; {name}{more} is not heard: {why}"
    return ""


def _plan(sight: Sight) -> Condition:
    holds, reason, message = _unfollowed(sight) or (True, PlanReason.FOLLOWED, _followed(sight))
    return _condition(ConditionType.PLAN_CURRENT, holds, reason, message)


def _followed(sight: Sight) -> str:
    return f"plan {sight.plan.id if sight.plan else 0} is followed"


def _unfollowed(sight: Sight) -> tuple[bool | None, PlanReason, str] | None:
    """Why no plan is followed; None where one is."""
    advice = sight.advice or "no load was seen yet"
    behind = ", ".join(
        f"{name} ({sight.unreachable[name]})" if name in sight.unreachable else name
        for name in sight.behind
    )
    silent = f"no router has told of its load for {STALE:g} s, so the plan is held"
    for applies, holds, reason, message in (
        (sight.paused, False, PlanReason.PAUSED, "paused by annotation"),
        (sight.mode is Mode.OFF, False, PlanReason.OFF, "spec.planning.mode is off"),
        (
            sight.mode is Mode.ADVISORY,
            False,
            PlanReason.ADVISORY,
            f"advised, and not done: {advice}",
        ),
        (
            # One that starts is not asked yet; of one that is ready the reason is worth knowing.
            bool(sight.unreachable.keys() & set(sight.behind)),
            False,
            PlanReason.ROUTER_BEHIND,
            f"not told the plan yet: {behind}",
        ),
        (
            sight.report_age is None or not sight.planned,
            None,
            PlanReason.NO_LOAD_YET,
            "workers hold an even spread until a load is seen",
        ),
        ((sight.report_age or 0.0) > STALE, False, PlanReason.STALE_LOAD, silent),
        (
            bool(sight.behind),
            False,
            PlanReason.ROUTER_BEHIND,
            f"not told the plan yet: {behind}",
        ),
    ):
        if applies:
            return holds, reason, message
    return None


def _budget(sight: Sight) -> Condition:
    kind = ConditionType.WITHIN_BUDGET
    over = [account for account in sight.accounts if account.exceeded]
    if not over:
        told = ", ".join(f"{a.pool} {a.charged} of {a.wanted}" for a in sight.accounts)
        return _condition(kind, True, BudgetReason.WITHIN, f"workers up: {told}")
    told = ", ".join(
        f"{a.pool} has {a.charged} for {a.wanted}, {a.terminating} of them ending" for a in over
    )
    ending = all(a.terminating >= a.exceeded or a.pool in sight.shrinking for a in over)
    reason = BudgetReason.SHRINKING if ending else BudgetReason.EXCEEDED
    return _condition(kind, False, reason, told)


def _slo(sight: Sight) -> Condition:
    kind, slo, outcome = ConditionType.SLO_MET, sight.spec.slo, sight.outcome
    if sight.report_age is None or sight.report_age > STALE:
        return _condition(kind, None, SloReason.NO_REPORTS, "no router tells of its load")
    if not outcome.met + outcome.missed:
        return _condition(kind, None, SloReason.NO_TRAFFIC, "no request ended within five minutes")
    met = outcome.share >= slo.target
    told = (
        f"{outcome.share:.0%} of the requests of five minutes met their deadline; "
        f"{slo.target:g} is the target"
    )
    return _condition(kind, met, SloReason.MET if met else SloReason.MISSED, told)


_REMEDIES = {
    ProgressReason.UNSCHEDULABLE: "ask for fewer workers, or give nodes what they lack",
    ProgressReason.IMAGE_UNAVAILABLE: "see that the name is right (images.registry and images.tag "
    "of the chart, or the podTemplate) and that the pod's account may pull it",
    ProgressReason.CRASHING: "`kubectl logs --previous` of it says why",
    ProgressReason.STUCK: "`kubectl describe` and `kubectl logs` of it say why",
}
"""What to do about a pod's trouble."""
_POLICY = "mend what it names in the podTemplate, or ask who set the namespace's policies"
_TROUBLES = {
    Trouble.UNSCHEDULABLE: ProgressReason.UNSCHEDULABLE,
    Trouble.IMAGE: ProgressReason.IMAGE_UNAVAILABLE,
    Trouble.CRASHING: ProgressReason.CRASHING,
    Trouble.FAILED: ProgressReason.STUCK,
}


def _progress(sight: Sight) -> Condition:
    kind = ConditionType.PROGRESSING
    if sight.paused:
        return _condition(kind, False, ProgressReason.PAUSED, "paused by annotation")
    if sight.unmade:
        owner, why = next(iter(sight.unmade.items()))
        told = _advised(f"{owner} cannot make its pods: {why}", remedy(why) or _POLICY)
        return _condition(kind, False, ProgressReason.PODS_REFUSED, told)
    ill = [pod for pod in sight.pods if pod.trouble is not None and not pod.terminating]
    if ill:
        return _trouble(ill)
    on_the_way = sum(account.away for account in sight.accounts)
    if on_the_way and sight.unmoved > STUCK:
        return _condition(
            kind,
            False,
            ProgressReason.STUCK,
            f"{_many(on_the_way, 'worker')} got no further for {STUCK:g} s{_unheard(sight)}",
        )
    accounts = sight.accounts
    for reason, count, what in (
        (ProgressReason.ROLLING, sum(a.outdated for a in accounts), "of an older template"),
        (ProgressReason.SCALING, sum(a.exceeded for a in accounts), "beyond the budget"),
        (ProgressReason.SWITCHING, _switching(sight), "switching, or yet to"),
        (ProgressReason.STARTING, on_the_way, "yet to serve"),
    ):
        if count:
            why = _unheard(sight) if reason is ProgressReason.STARTING else ""
            return _condition(kind, True, reason, f"{_many(count, 'worker')} {what}{why}")
    return _condition(kind, False, ProgressReason.SETTLED, "every worker is as it shall be")


def _switching(sight: Sight) -> int:
    """Workers that are up and have yet to serve what they shall."""
    return sum(
        1
        for worker in sight.workers
        if worker.phase is not None and worker.holds and worker.wanted != worker.holds
    )


def _trouble(ill: list[Pod]) -> Condition:
    order = list(_TROUBLES)
    worst = min(ill, key=lambda pod: (order.index(pod.trouble) if pod.trouble else 99, pod.name))
    assert worst.trouble is not None
    reason = _TROUBLES[worst.trouble]
    more = f" (and {len(ill) - 1} more)" if len(ill) > 1 else ""
    return _condition(
        ConditionType.PROGRESSING,
        False,
        reason,
        _advised(f"pod {worst.name}{more}: {worst.message}", _REMEDIES[reason]),
    )


def _advised(told: str, what: str) -> str:
    """What was told, and what to do about it where anything is known."""
    return f"{told}; {what}" if what else told


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _condition(
    kind: ConditionType,
    holds: bool | None,  # noqa: FBT001 - reads well in a call
    reason: ReadyReason | PlanReason | BudgetReason | SloReason | ProgressReason,
    message: str,
) -> Condition:
    return Condition(type=kind, holds=holds, reason=reason, message=message)
