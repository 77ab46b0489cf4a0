"""An alert, a recording rule, and the pace that both are for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

RUNBOOKS = "docs/runbooks"
"""Where the pages are, in the repository; the chart puts its own address there."""
WHERE = "namespace, cluster"
"""Labels that every metric knows its cluster by."""
NAME = "{{ $labels.namespace }}/{{ $labels.cluster }}"
"""A cluster's, in a description."""
VALUE, SHARE, TIME = (
    f"{{{{ $value | {form} }}}}" for form in ("humanize", "humanizePercentage", "humanizeDuration")
)
"""What an expression came to, in a description: a number, a share, seconds."""
_UNITS = (("d", 86_400.0), ("h", 3600.0), ("m", 60.0), ("s", 1.0))


class Severity(StrEnum):
    """Who shall hear of it."""

    PAGE = "page"
    """Somebody, at once: users notice, or soon will."""
    TICKET = "ticket"
    """Somebody, in working hours."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How fast the rules' time goes: a test has no three days."""

    scale: float = 1.0
    """All of the rules' seconds are multiplied by it."""
    shortest: float = 0.0
    """Seconds below which no window gets, as it must hold some scrapes."""

    def seconds(self, seconds: float) -> float:
        """So many of the rules' seconds, in real ones."""
        return seconds * self.scale

    def window(self, seconds: float) -> str:
        """A range, as PromQL writes it."""
        return _duration(max(self.seconds(seconds), self.shortest))

    def wait(self, seconds: float) -> str:
        """How long something must be so."""
        return _duration(self.seconds(seconds))


@dataclass(frozen=True, kw_only=True)
class Record:
    """A series that other rules and dashboards read."""

    name: str
    expr: str

    def rule(self) -> dict[str, Any]:
        """As Prometheus reads it."""
        return {"record": self.name, "expr": self.expr}


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One way of a problem to show; several rules may carry one name."""

    name: str
    expr: str
    severity: Severity
    summary: str
    description: str
    """With the values, in Prometheus' template language."""
    wait: str = "0s"
    """For how long the expression must hold."""
    labels: Mapping[str, str] = field(default_factory=dict)

    def rule(self) -> dict[str, Any]:
        """As Prometheus reads it."""
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": self.wait,
            "labels": {"severity": self.severity.value, **self.labels},
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                "runbook_url": f"{RUNBOOKS}/{self.name}.md",
            },
        }


def _duration(seconds: float) -> str:
    """In the largest unit that tells it whole."""
    for unit, length in _UNITS:
        if seconds >= length and seconds % length == 0:
            return f"{int(seconds // length)}{unit}"
    return f"{round(seconds * 1000)}ms" if seconds else "0s"
