"""Cases for promtool, in the shape in which its tests read them.

A case plays series from minute 0 on, a sample a minute, and says at which minutes its alert fires.
Values are promtool's: `1+2x3` is 1, 3, 5, 7; `_x5` is five scrapes that failed. All series carry
the labels of one cluster, but for `instance`, which tells one process from its successor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

WHERE = 'namespace="studio",cluster="prints"'


@dataclass(frozen=True, kw_only=True)
class Case:
    """What becomes of one alert under some series."""

    alert: str
    rule: str
    """What it holds, in words."""
    series: Mapping[str, str]
    """Values by series; `argus_x{level="best"}` without the cluster's labels, or a bare `!argus_x`
    that has none at all."""
    fires: tuple[int, ...] = ()
    """Minutes at which it does."""
    silent: tuple[int, ...] = ()
    """Minutes at which it does not."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Of the alert that is meant, where rules share a name."""
    others: frozenset[str] = frozenset()
    """Other alerts that these series may well fire too."""

    def test(self, alerts: list[str]) -> dict[str, Any]:
        """As promtool reads it: also, no other alert fires at any of these minutes."""
        labels = "".join(f',{key}="{value}"' for key, value in self.labels.items())
        asked = (
            f'count(ALERTS{{alertname="{self.alert}",alertstate="firing"{labels}}}) or vector(0)'
        )
        allowed = "|".join((self.alert, *sorted(self.others)))
        rest = f'count(ALERTS{{alertname!~"{allowed}",alertstate="firing"}}) or vector(0)'
        assert {self.alert, *self.others} <= set(alerts)
        checks = []
        for minute in sorted({*self.fires, *self.silent}):
            checks.append(_check(asked, minute, float(minute in self.fires)))
            checks.append(_check(rest, minute, 0.0))
        return {
            "name": f"{self.alert}: {self.rule}",
            "interval": "1m",
            "input_series": [
                {"series": _labelled(name), "values": values}
                for name, values in self.series.items()
            ],
            "promql_expr_test": checks,
        }


def _check(expr: str, minute: int, value: float) -> dict[str, Any]:
    return {
        "expr": expr,
        "eval_time": f"{minute}m",
        "exp_samples": [{"labels": "{}", "value": value}],
    }


def _labelled(series: str) -> str:
    if series.startswith("!"):
        return series[1:]
    name, _, rest = series.partition("{")
    inner = rest.removesuffix("}")
    return f"{name}{{{WHERE}{',' if inner else ''}{inner}}}"
