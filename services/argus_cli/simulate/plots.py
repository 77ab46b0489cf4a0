"""Pictures of runs, as PNG. Drawn on figures of our own: no window, and no state shared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from argus_cli.simulate import palette
from argus_cli.simulate.panels import Board, Panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOTS = 144
"""An inch."""
_WIDTH, _HEAD = 9.0, 0.8
"""Inches: of a picture, of the words above."""
_HEIGHT, _TALL, _FRONTIER = 2.2, 3.2, 5.5
"""Inches: of a panel over time, of one of points, of a frontier."""
_DASHES = {"solid": "-", "dash": (0, (5, 2)), "dot": (0, (1.5, 1.5)), "dashdot": (0, (5, 2, 1, 2))}
_MARKERS = "osD^vPX<>*"
_ROOM = 1.06
"""Of the axis, above what is drawn."""


@dataclass(frozen=True, kw_only=True)
class Reached:
    """Where a policy came to at one load."""

    load: float
    """In whatever the plot says."""
    violations: float
    """Share, 0 to 1."""
    quality: float
    """0 to 1."""


def draw_board(board: Board, path: Path) -> None:
    """All panels under each other, sharing their time."""
    figure, axes = _figure([_TALL if panel.points else _HEIGHT for panel in board.panels])
    _head(figure, board.title, board.subtitle)
    told: set[str] = set()
    for axis, panel in zip(axes, board.panels, strict=True):
        _dress(axis, panel)
        if panel.points:
            _points(axis, panel)
        else:
            _over_time(axis, board, panel)
        names = {line.name for line in panel.lines}
        if panel.points or not names <= told:
            _legend(axis)
        told |= names
    figure.savefig(path, dpi=DOTS)


def draw_frontier(
    reached: Mapping[str, Sequence[Reached]], path: Path, *, title: str, load: str
) -> None:
    """Violations against quality as the load rises: one line a policy, up and left is better.

    Args:
        reached: by policy, one for each load.
        path: of the PNG file.
        title: what it is about.
        load: the load's unit, such as `requests a second`; the ends of lines tell it.
    """
    figure, (axis,) = _figure([_FRONTIER])
    _head(figure, title, f"each line follows the load, in {load}; up and to the left is better")
    names = list(reached)
    for i, (name, ends) in enumerate(reached.items()):
        colour = palette.policy_colour(name, names)
        x, y = [100 * at.violations for at in ends], [at.quality for at in ends]
        axis.plot(
            x, y, color=colour, label=name, marker=_MARKERS[i % len(_MARKERS)], markersize=5,
            linewidth=2.4 if not i else 1.4, linestyle=_DASHES[palette.policy_dash(name, names)],
        )  # fmt: skip
        for at, label in _ends(ends):
            axis.annotate(
                label, (100 * at.violations, at.quality), xytext=(5, 4),
                textcoords="offset points", fontsize=7.5, color=colour,
            )  # fmt: skip
    axis.set_xlabel("violations, % of requests", color=palette.INK)
    axis.set_ylabel("mean quality of what was in time", color=palette.INK)
    _plain(axis)
    _legend(axis)
    figure.savefig(path, dpi=DOTS)


def _ends(reached: Sequence[Reached]) -> list[tuple[Reached, str]]:
    """Where a line's first and last load are written; together where they came to the same."""
    if not reached:
        return []
    first, last = reached[0], reached[-1]
    if (first.violations, first.quality) == (last.violations, last.quality):
        return [(last, f"{first.load:g} to {last.load:g}")]
    return [(at, f"{at.load:g}") for at in (first, last)]


def _figure(heights: Sequence[float]) -> tuple[Figure, Sequence[Axes]]:
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to import

    size = (_WIDTH, _HEAD + sum(heights))
    figure = Figure(figsize=size, layout="constrained", facecolor=palette.PAPER)
    engine = figure.get_layout_engine()
    assert engine is not None, "asked for"
    engine.set(rect=(0, 0, 1, 1 - _HEAD / size[1]), h_pad=0.08, w_pad=0.08)  # type: ignore[call-arg]
    axes = figure.subplots(len(heights), 1, squeeze=False, height_ratios=list(heights))
    return figure, list(axes[:, 0])


def _head(figure: Figure, title: str, subtitle: str) -> None:
    inch = 1 / figure.get_figheight()
    figure.text(0.015, 1 - 0.28 * inch, title, fontsize=14, weight="bold", color=palette.INK)
    figure.text(0.015, 1 - 0.55 * inch, subtitle, fontsize=9, color=palette.FAINT)


def _dress(axis: Axes, panel: Panel) -> None:
    axis.set_title(panel.title, loc="left", fontsize=10.5, weight="bold", color=palette.INK)
    axis.set_title(panel.unit, loc="right", fontsize=8.5, color=palette.FAINT)
    _plain(axis)


def _plain(axis: Axes) -> None:
    axis.grid(visible=True, color=palette.GRID, linewidth=0.6)
    axis.set_axisbelow(True)
    axis.tick_params(colors=palette.FAINT, labelsize=8.5, length=0)
    axis.yaxis.set_major_formatter(_number)
    for side in axis.spines.values():
        side.set_visible(False)


def _over_time(axis: Axes, board: Board, panel: Panel) -> None:
    if panel.stacked:
        names = [line.name for line in panel.lines]
        colours = [line.colour for line in panel.lines]
        heights = [line.y for line in panel.lines]
        axis.stackplot(board.x, *heights, labels=names, colors=colours, linewidth=0)
        axis.set_ylim(0, max(1.0, float(np.sum(heights, axis=0).max())))
        axis.locator_params(axis="y", integer=True)
    else:
        for line in panel.lines:
            axis.plot(
                board.x, line.y, label=line.name, color=line.colour,
                linestyle=_DASHES[line.dash], linewidth=2.0 if line.wide else 1.2,
            )  # fmt: skip
        _scale(axis, panel)
    axis.set_xlim(float(board.x[0]), float(board.x[-1]) if len(board.x) > 1 else None)
    axis.set_xlabel(board.unit, fontsize=8.5, color=palette.FAINT)


def _scale(axis: Axes, panel: Panel) -> None:
    """Quantities begin at 0; qualities, which end at 1, where they begin."""
    low, high = axis.get_ylim()
    if panel.top is None:
        axis.set_ylim(0, max(high, 1e-3))
    else:
        axis.set_ylim(min(low, panel.top - 0.02), panel.top + (panel.top - low) * (_ROOM - 1))


def _points(axis: Axes, panel: Panel) -> None:
    for i, point in enumerate(panel.points):
        axis.errorbar(
            [point.x.mean], [point.y.mean], xerr=[point.x.half or 0], yerr=[point.y.half or 0],
            color=point.colour, marker=_MARKERS[i % len(_MARKERS)], markersize=6, capsize=2,
            linewidth=1.2, label=point.name,
        )  # fmt: skip
    axis.set_xlabel(panel.x_title, fontsize=8.5, color=palette.FAINT)
    axis.margins(0.08)


def _number(value: float, place: float) -> str:
    """A tick's label."""
    del place
    return f"{value:,.10g}"


def _legend(axis: Axes) -> None:
    """Beside the panel, in the order of what is drawn."""
    axis.legend(
        loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8.5,
        labelcolor=palette.INK, handlelength=2.2,
    )  # fmt: skip
