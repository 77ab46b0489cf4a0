"""The figures of a run, as they are called and written wherever they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from argus_cli.simulate.statistics import Interval
from argus_core.simulator.summary import Summary

NONE = "-"
"""Where there is nothing to take a mean of."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One field of a summary."""

    field: str
    title: str
    scale: float = 1.0
    """Times the field's value, as shown."""
    digits: int = 0
    """After the point."""
    unit: str = ""

    short: str = ""
    """Title of a column of a table, whose cells leave the unit out."""

    def of(self, summary: Summary) -> float | None:
        """The value, as it was measured."""
        value: float | None = getattr(summary, self.field)
        return value

    def write(self, value: float | None) -> str:
        """As it is shown, with its unit."""
        return NONE if value is None else f"{value * self.scale:,.{self.digits}f}{self.unit}"

    def write_interval(self, found: Interval | None, *, signed: bool = False) -> str:
        """A mean and half of its interval's width, without the unit."""
        if found is None:
            return NONE
        sign = "+" if signed else ""
        mean = f"{found.mean * self.scale:{sign},.{self.digits}f}"
        half = "" if found.half is None else f" ±{found.half * self.scale:,.{self.digits}f}"
        return f"{mean}{half}"


def _share(field: str, title: str) -> Figure:
    return Figure(field=field, title=title, scale=100, digits=2, unit="%")


def _quality(field: str, title: str) -> Figure:
    return Figure(field=field, title=title, digits=3)


def _plain(field: str, title: str, digits: int = 0, unit: str = "") -> Figure:
    return Figure(field=field, title=title, digits=digits, unit=unit)


GOODPUT = replace(_plain("in_time_per_minute", "in time a minute", 1), short="in time/min")
VIOLATIONS = replace(_share("violations", "violations"), short="violated %")
QUALITY = replace(_quality("quality_in_time", "quality in time"), short="quality")
VALUE = replace(_quality("value", "value"), short="value")

FIGURES: Sequence[Figure] = (
    _plain("requests", "requests"),
    _plain("minutes", "minutes", 1),
    _plain("in_time", "in time"),
    GOODPUT,
    VIOLATIONS,
    _plain("violations_per_minute", "violations a minute", 1),
    _share("late", "late"),
    _share("dropped", "dropped"),
    _share("refused", "refused"),
    _share("lost", "lost with a worker"),
    _quality("quality", "quality"),
    QUALITY,
    _quality("quality_worst_decile", "quality, worst tenth"),
    VALUE,
    _plain("latency_p50", "latency p50", 2, " s"),
    _plain("latency_p99", "latency p99", 2, " s"),
    _share("admitted_on_retry", "taken on a retry"),
    _share("utilisation", "GPUs busy"),
    _plain("switches", "switches"),
    _plain("switching_seconds", "loading", 1, " s"),
    _plain("seconds", "simulated in", 2, " s"),
)
"""All of a summary's, in the order in which they are shown."""
COMPARED: Sequence[Figure] = (GOODPUT, VIOLATIONS, QUALITY, VALUE)
"""Those that tell policies apart."""
