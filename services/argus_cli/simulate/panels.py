"""What plots and pages show, before either draws it: four panels of a run or of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from argus_cli.simulate import palette
from argus_cli.simulate.comparison import Comparison, Run
from argus_cli.simulate.figures import QUALITY, VIOLATIONS, Figure
from argus_cli.simulate.statistics import Interval, interval
from argus_core.simulator.scenario import Floats
from argus_core.simulator.series import Series

_UNITS = ((2 * 86_400.0, 86_400.0, "days"), (3 * 3600.0, 3600.0, "hours"), (180.0, 60.0, "minutes"))
"""From how many seconds on, how many are one, and its name."""
_LEAST = 5
"""Requests in a bucket below which its share of violations says nothing."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Line:
    """One line of a panel, or one layer of a stacked one."""

    name: str
    y: Floats
    colour: str
    dash: str = "solid"
    """Or `dash`, `dot`, `dashdot`."""
    wide: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Point:
    """A policy by two figures, with their intervals."""

    name: str
    x: Interval
    y: Interval
    colour: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Panel:
    """One of several under each other. It has lines over time, or points."""

    title: str
    unit: str
    lines: Sequence[Line] = ()
    stacked: bool = False
    """Layers upon each other, in order, from below."""
    points: Sequence[Point] = ()
    x_title: str = ""
    """Of points; lines are over time."""
    top: float | None = None
    """Where the axis ends; None for where the data does."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Board:
    """All panels of a picture, with their common time."""

    title: str
    subtitle: str
    x: Floats
    """Time of each value of the lines: the middle of its bucket, in `unit`s."""
    unit: str
    panels: Sequence[Panel]


def run_board(run: Run, subtitle: str) -> Board:
    """Load, quality, violations, and who holds what."""
    series = run.series
    x, unit = _time(series)
    colours = palette.variant_colours(list(series.workers))
    layers = [Line(name=n, y=y, colour=colours[n]) for n, y in series.workers.items() if y.any()]
    return Board(
        title=f"{run.policy}, seed {run.seed}",
        subtitle=subtitle,
        x=x,
        unit=unit,
        panels=(
            Panel(
                title="Load",
                unit="requests a minute",
                lines=(
                    Line(name="arriving", y=series.load, colour=palette.FAINT),
                    Line(name="in time", y=series.in_time, colour=palette.GOOD, wide=True),
                ),
            ),
            Panel(
                title="Quality",
                unit="mean of what was delivered",
                lines=(Line(name="quality", y=series.quality, colour=palette.GOOD, wide=True),),
                top=1.0,
            ),
            Panel(
                title="Violations",
                unit="requests a minute",
                lines=(
                    Line(name="not in time", y=series.violations, colour=palette.BAD, wide=True),
                ),
            ),
            Panel(title="GPUs", unit="workers that hold it", lines=layers, stacked=True),
        ),
    )


def comparison_board(comparison: Comparison, subtitle: str) -> Board:
    """Load, quality and violations of every policy in the first seed, and means over all."""
    first = {name: comparison.of(name)[0].series for name in comparison.policies}
    series = next(iter(first.values()))
    x, unit = _time(series)
    arriving = Line(name="arriving", y=series.load, colour=palette.GRID, wide=True)
    return Board(
        title=f"{len(first)} policies, {_seeds(comparison)}",
        subtitle=subtitle,
        x=x,
        unit=unit,
        panels=(
            Panel(
                title="In time",
                unit=f"requests a minute, seed {comparison.seeds[0]}",
                lines=(arriving, *_lines({n: s.in_time for n, s in first.items()})),
            ),
            Panel(
                title="Quality",
                unit="mean of what was delivered",
                lines=_lines({n: s.quality for n, s in first.items()}),
                top=1.0,
            ),
            Panel(
                title="Violations",
                unit="% of requests",
                lines=_lines({n: _share(s) for n, s in first.items()}),
            ),
            Panel(
                title="Quality against violations",
                unit="mean quality of what was in time",
                x_title=f"violations, % of requests; means of {_seeds(comparison)}",
                points=_points(comparison, VIOLATIONS, QUALITY),
            ),
        ),
    )


def _lines(by_policy: dict[str, Floats]) -> tuple[Line, ...]:
    names = list(by_policy)
    return tuple(
        Line(
            name=name,
            y=y,
            colour=palette.policy_colour(name, names),
            dash=palette.policy_dash(name, names),
            wide=name == names[0],
        )
        for name, y in by_policy.items()
    )


def _points(comparison: Comparison, across: Figure, up: Figure) -> tuple[Point, ...]:
    names = comparison.policies
    found = []
    for name in names:
        x, y = _over(comparison, name, across), _over(comparison, name, up)
        if x is not None and y is not None:
            found.append(Point(name=name, x=x, y=y, colour=palette.policy_colour(name, names)))
    return tuple(found)


def _over(comparison: Comparison, policy: str, figure: Figure) -> Interval | None:
    """A figure over the seeds, as it is shown."""
    values = [figure.of(run.summary) for run in comparison.of(policy)]
    return interval([None if value is None else value * figure.scale for value in values])


def _share(series: Series) -> Floats:
    """Violations in per cent; NaN where too few came to tell."""
    enough = series.load * series.bucket / 60 >= _LEAST
    return np.where(enough, 100 * series.violations / np.maximum(series.load, 1e-9), np.nan)


def _seeds(comparison: Comparison) -> str:
    count = len(comparison.seeds)
    return f"{count} seed" if count == 1 else f"{count} seeds"


def _time(series: Series) -> tuple[Floats, str]:
    middle = series.start + series.bucket / 2
    end = float(series.start[-1]) + series.bucket
    for least, seconds, name in _UNITS:
        if end >= least:
            return middle / seconds, name
    return middle, "seconds"
