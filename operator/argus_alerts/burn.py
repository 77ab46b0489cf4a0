"""How fast each objective's error budget is spent, and who is told of it.

Routers count good and bad images for each objective and show the document's target
(`argus_router.promises`), so that one set of rules serves every cluster. A budget is what a target
leaves, 1 - target, of 30 days. A burn of 1 spends just that; the workbook's pages are at 14.4 over
an hour (2 % of the budget gone) and at 6 over six (5 %), its ticket at 1 over three days.

No burn exceeds 1 / (1 - target): with a target of 0.9 that is 10, and a page at 14.4 would never
come. So a page is due at half the way from 1 to the highest burn there is, wherever that is
less; it is below the highest and above 1 for every target.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from argus_alerts.rule import NAME, VALUE, WHERE, Alert, Pace, Record, Severity

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
BUDGET = 30 * DAY
"""Seconds that a budget is for."""
FEWEST_BAD = 10
"""Images that must have been bad within the long window: the burn of fewer is luck. It is also the
least traffic that anybody is told of."""
OBJECTIVES = {
    "latency": ("ArgusLatencyBudgetBurn", "Images are late, or refused as they would be"),
    "availability": ("ArgusAvailabilityBudgetBurn", "Images fail by a fault of Argus"),
    "quality": ("ArgusQualityBudgetBurn", "Images are drawn worse than promised"),
}
"""By objective, the alert's name, and its summary."""
_BY = f"{WHERE}, objective"


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Two windows that must both burn so fast: the long one is sure, the short is soon over."""

    name: str
    factor: float
    long: float
    short: float
    severity: Severity


FAST = Watch(name="fast", factor=14.4, long=HOUR, short=5 * MINUTE, severity=Severity.PAGE)
SLOW = Watch(name="slow", factor=6.0, long=6 * HOUR, short=30 * MINUTE, severity=Severity.PAGE)
LONG = Watch(name="long", factor=1.0, long=3 * DAY, short=6 * HOUR, severity=Severity.TICKET)
WATCHES = (FAST, SLOW, LONG)
_WINDOWS = {5 * MINUTE: "5m", 30 * MINUTE: "30m", HOUR: "1h", 6 * HOUR: "6h", 3 * DAY: "3d"}
"""Names stay whatever the pace."""


def limit(factor: float, target: float) -> float:
    """The burn from which on somebody is told, as the rules reckon it."""
    return min(factor, (1 + 1 / (1 - target)) / 2)


def records(pace: Pace) -> Iterator[Record]:
    """What the alerts and dashboards read."""
    gap = pace.window(HOUR)
    yield Record(
        name="argus:slo_target:ratio",
        expr=f"min by ({_BY}) (last_over_time(argus_slo_target_ratio[{gap}]))",
    )
    for seconds, name in {**_WINDOWS, BUDGET: "30d"}.items():
        window = pace.window(seconds)
        bad = f'sum by ({_BY}) (rate(argus_slo_images_total{{verdict="bad"}}[{window}]))'
        every = f"sum by ({_BY}) (rate(argus_slo_images_total[{window}]))"
        yield Record(
            name=f"argus:slo_burn:ratio_rate{name}",
            expr=f"{bad} / ({every} > 0) / (1 - argus:slo_target:ratio)",
        )
    yield Record(name="argus:slo_budget_left:ratio", expr="1 - argus:slo_burn:ratio_rate30d")
    for watch in WATCHES:
        name, window = _WINDOWS[watch.long], pace.window(watch.long)
        yield Record(
            name=f"argus:slo_bad_images:increase{name}",
            expr=f'sum by ({_BY}) (increase(argus_slo_images_total{{verdict="bad"}}[{window}]))',
        )
        yield Record(
            name=f"argus:slo_burn_limit:{watch.name}",
            expr=f"clamp_max((1 + 1 / (1 - argus:slo_target:ratio)) / 2, {watch.factor:g})",
        )


def alerts() -> Iterator[Alert]:
    """Two pages and a ticket for each objective."""
    for objective, (name, summary) in OBJECTIVES.items():
        for watch in WATCHES:
            yield _alert(objective, name, summary, watch)


def _alert(objective: str, name: str, summary: str, watch: Watch) -> Alert:
    long, short = _WINDOWS[watch.long], _WINDOWS[watch.short]
    of = f'{{objective="{objective}"}}'
    bound = f"argus:slo_burn_limit:{watch.name}{of}"
    return Alert(
        name=name,
        expr=(
            f"argus:slo_burn:ratio_rate{long}{of} > {bound}\n"
            f"and argus:slo_burn:ratio_rate{short}{of} > {bound}\n"
            f"and argus:slo_bad_images:increase{long}{of} >= {FEWEST_BAD}"
        ),
        severity=watch.severity,
        summary=summary,
        description=(
            f"Cluster {NAME} spends the {objective} budget of its SLO {VALUE} times as "
            f"fast as it may, over {long}.{_left(objective)}"
        ),
        labels={"watch": watch.name},
    )


def _left(objective: str) -> str:
    """A sentence on what is left of the budget, where that is known."""
    query = "argus:slo_budget_left:ratio{namespace='%s',cluster='%s',objective='" + objective + "'}"
    return (
        f' {{{{ with printf "{query}" $labels.namespace $labels.cluster | query }}}}'
        "{{ . | first | value | humanizePercentage }} of 30 days' budget is left.{{ end }}"
    )
