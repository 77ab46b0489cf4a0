"""What a Prometheus answers to each panel of a dashboard, as Grafana would ask it. No drawing here.

Read from the dashboard's JSON alone: the queries with their variables filled in, where panels lie,
what their series are called, and the unit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from argus_core.simulator.scenario import Floats
from support.prometheus import Prometheus

WIDTH = 24
"""Columns of Grafana's grid."""
_POINTS = 60.0
"""Pixels of a column: a panel asks for one value a pixel and no finer than scrapes are."""
_SLICES = 60
"""Of the time shown, in each of which some exemplars are kept."""
_LABEL = re.compile(r"\{\{(\w+)\}\}")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """The time that is shown: seconds since 1970, and between scrapes."""

    since: float
    until: float
    interval: float

    def step(self, columns: int) -> float:
        """Seconds between two values of a panel so wide, as Grafana reckons them."""
        return max(self.interval, (self.until - self.since) / (columns * _POINTS))


@dataclass(frozen=True, kw_only=True, eq=False)
class Series:
    """A line: its name, and values over time; NaN where there is none."""

    name: str
    times: Floats
    values: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """A panel, and what is on it."""

    panel: Mapping[str, Any]
    """As the JSON has it."""
    series: Sequence[Series] = ()
    dots: Sequence[tuple[float, float]] = ()
    """Exemplars: time and value."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Page:
    """A whole dashboard."""

    board: Mapping[str, Any]
    shown: Shown
    answers: Sequence[Answer]
    marks: Sequence[float] = field(default=())
    """Times of annotations."""

    @property
    def empty(self) -> list[str]:
        """Titles of panels that show nothing, and should: those of faults say what none is."""
        return [
            answer.panel["title"]
            for answer in self.answers
            if answer.panel["type"] != "row"
            and "noValue" not in answer.panel["fieldConfig"]["defaults"]
            and not any(np.isfinite(one.values).any() for one in answer.series)
        ]


def filled(expr: str, shown: Shown, step: float) -> str:
    """A query with Grafana's variables set, for values so many seconds apart of all clusters."""
    for variable, value in (
        ("$__rate_interval", _span(max(step + shown.interval, 4 * shown.interval))),
        ("$__interval", _span(step)),
        ("$__range", _span(shown.until - shown.since)),
        ("$namespace", ".*"),
        ("$cluster", ".*"),
    ):
        expr = expr.replace(variable, value)
    return expr


async def asked(board: Mapping[str, Any], prometheus: Prometheus, shown: Shown) -> Page:
    """Everything that a dashboard shows of a time.

    Raises:
        ValueError: Prometheus does not take a query.
    """
    marks: list[float] = []
    for annotation in board.get("annotations", {}).get("list") or ():
        step = max(shown.step(WIDTH), float(annotation["step"].removesuffix("s")))
        for row in await _ranged(annotation["expr"], prometheus, shown, step):
            marks += [at for at, _ in row["values"]]
    answers = [await _answer(panel, prometheus, shown) for panel in board["panels"]]
    return Page(board=board, shown=shown, answers=answers, marks=sorted(marks))


async def _answer(panel: Mapping[str, Any], prometheus: Prometheus, shown: Shown) -> Answer:
    series: list[Series] = []
    dots: list[tuple[float, float]] = []
    step = shown.step(panel["gridPos"]["w"])
    for target in panel.get("targets") or ():
        if target.get("instant"):
            expr = filled(target["expr"], shown, step)
            for labels, value in await prometheus.query(expr, at=shown.until):
                series.append(_line(target, labels, [(shown.until, value)], shown, step))
            continue
        found = await _ranged(target["expr"], prometheus, shown, step)
        series += [_line(target, row["metric"], row["values"], shown, step) for row in found]
        if target.get("exemplar"):
            expr = filled(target["expr"], shown, step)
            told = await prometheus.exemplars(expr, shown.since, shown.until)
            dots += _picked([(one.at, one.value) for one in told])
    return Answer(panel=panel, series=series, dots=dots)


def _picked(dots: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Of many exemplars in a little time, those that Grafana keeps: two deviations apart."""
    if not dots:
        return []
    apart = 2 * float(np.std([value for _, value in dots]))
    begin, span = dots[0][0], max(1e-9, dots[-1][0] - dots[0][0])
    slices: dict[int, list[tuple[float, float]]] = {}
    for at, value in dots:
        slices.setdefault(int((at - begin) / span * _SLICES), []).append((at, value))
    kept: list[tuple[float, float]] = []
    for found in slices.values():
        last = np.inf
        for at, value in sorted(found, key=lambda dot: -dot[1]):
            if last - value > apart:
                kept.append((at, value))
                last = value
    return kept


async def _ranged(
    expr: str, prometheus: Prometheus, shown: Shown, step: float
) -> list[dict[str, Any]]:
    return await prometheus.ranged(filled(expr, shown, step), shown.since, shown.until, step)


def _line(
    target: Mapping[str, Any],
    labels: Mapping[str, str],
    values: Sequence[tuple[float, Any]],
    shown: Shown,
    step: float,
) -> Series:
    """A series on the panel's steps: who says nothing at one has a gap there."""
    count = int((shown.until - shown.since) / step) + 1
    times = shown.since + step * np.arange(count, dtype=np.float64)
    found = np.full(count, np.nan)
    for at, value in values:
        found[min(count - 1, round((at - shown.since) / step))] = float(value)
    named = _LABEL.sub(lambda match: labels.get(match[1], ""), target.get("legendFormat") or "")
    return Series(name=named, times=times, values=np.where(np.isfinite(found), found, np.nan))


def _span(seconds: float) -> str:
    return f"{round(1000 * seconds)}ms"
