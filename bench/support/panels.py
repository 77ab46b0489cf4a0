"""Draws a dashboard: panels where its JSON puts them, their series, legends, units and marks.

Made with matplotlib, after Grafana's grid: 24 columns, and 38 pixels a unit of height.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator
from PIL import Image

from argus_cli.simulate.palette import FAINT, GRID, INK, PAPER
from support.boards import WIDTH, Answer, Page, Series, Shown
from support.units import clock, unit

_PIXELS = 1600
_CELL, _GAP, _HEAD = 38, 8, 74
_DPI = 100
_GROUND = "#f4f5f5"
_LETTER = 6.7
"""Pixels of a legend's letter, about."""
_ENTRY, _LINE = 36, 19
"""Pixels of an entry's sample and margin, and of a line of entries."""
COLOURS = (
    "#73bf69", "#f2cc0c", "#5794f2", "#ff9830", "#f2495c", "#b877d9", "#8ab8ff", "#96d98d",
    "#ffb357", "#ff7383", "#ca95e5", "#37872d",
)  # fmt: skip
"""Grafana's classic palette, in its order."""
_NAMED = {
    "green": "#73bf69", "yellow": "#f2cc0c", "blue": "#5794f2", "orange": "#ff9830",
    "red": "#f2495c", "purple": "#b877d9", "text": INK,
}  # fmt: skip


def draw(page: Page, path: Path) -> None:
    """Draw a dashboard into a PNG of few colours."""
    bottom = max(a.panel["gridPos"]["y"] + a.panel["gridPos"]["h"] for a in page.answers)
    height = _HEAD + bottom * _CELL + _GAP
    figure = Figure(figsize=(_PIXELS / _DPI, height / _DPI), dpi=_DPI, facecolor=_GROUND)
    _headline(figure, page)
    for answer in page.answers:
        at = answer.panel["gridPos"]
        column = (_PIXELS - _GAP) / WIDTH
        left, top = _GAP + at["x"] * column, _HEAD + at["y"] * _CELL
        box = _Box(figure, (left, top, at["w"] * column - _GAP, at["h"] * _CELL - _GAP))
        _DRAWN[answer.panel["type"]](box, answer, page)
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=_DPI)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.open(drawn).convert("RGB").quantize(255, dither=Image.Dither.NONE).save(
        path, optimize=True
    )


class _Box:
    """A rectangle of the picture, in pixels from the upper left corner."""

    def __init__(self, figure: Figure, at: tuple[float, float, float, float]) -> None:
        """`at` are left, top, width and height."""
        self.figure, self._total = figure, figure.get_figheight() * _DPI
        self.left, self.top, self.width, self.height = at

    def axes(self, left: float, top: float, right: float, bottom: float, **how: Any) -> Axes:
        """Axes with so many pixels left free at each side."""
        return self.figure.add_axes(
            (
                (self.left + left) / _PIXELS,
                1 - (self.top + self.height - bottom) / self._total,
                (self.width - left - right) / _PIXELS,
                (self.height - top - bottom) / self._total,
            ),
            **how,
        )

    def text(self, x: float, y: float, said: str, **how: Any) -> None:
        """Write at a place within."""
        self.figure.text(*self._place(x, y), said, **{"color": INK, **how})

    def stroke(self, x: float, y: float, width: float, tint: str) -> None:
        """A short thick line to the right of a place."""
        (left, height), (right, _) = self._place(x, y), self._place(x + width, y)
        self.figure.add_artist(Line2D((left, right), (height, height), color=tint, lw=3))

    def _place(self, x: float, y: float) -> tuple[float, float]:
        return (self.left + x) / _PIXELS, 1 - (self.top + y) / self._total

    def card(self, title: str) -> None:
        """The panel's own ground, and its title."""
        card = self.axes(0, 0, 0, 0, facecolor=PAPER, xticks=(), yticks=())
        for spine in card.spines.values():
            spine.set_color(GRID)
        self.text(10, 21, title, fontsize=10.5, fontweight="bold", va="center")


def _headline(figure: Figure, page: Page) -> None:
    box = _Box(figure, (_GAP, 0, _PIXELS - 2 * _GAP, _HEAD))
    box.text(4, 26, page.board["title"], fontsize=17, fontweight="bold", va="center")
    span = f"{clock(page.shown.since)} to {clock(page.shown.until)} UTC"
    box.text(box.width - 4, 26, span, fontsize=10.5, va="center", ha="right")
    box.text(4, 54, page.board["description"], fontsize=10.5, va="center", color=FAINT)
    drawn = "drawn by bench/pictures.py from the dashboard's JSON; not by Grafana"
    box.text(box.width - 4, 54, drawn, fontsize=9, va="center", ha="right", color=FAINT)


def _row(box: _Box, answer: Answer, _page: Page) -> None:
    said = f"▾ {answer.panel['title']}"
    box.text(4, box.height / 2 + 2, said, fontsize=12, fontweight="bold", va="center")


def _stat(box: _Box, answer: Answer, _page: Page) -> None:
    box.card(answer.panel["title"])
    spoken = unit(answer.panel["fieldConfig"]["defaults"]["unit"])
    for place, series in enumerate(answer.series):
        x = box.width * (place + 0.5) / len(answer.series)
        box.text(x, 78, spoken(series.values[-1]), fontsize=25, ha="center", va="center")
        box.text(x, 118, series.name, fontsize=10, ha="center", va="center", color=FAINT)
    if not answer.series:
        _nothing(box, answer)


def _graph(box: _Box, answer: Answer, page: Page) -> None:
    box.card(answer.panel["title"])
    drawn = [one for one in answer.series if np.isfinite(one.values).any()]
    if not drawn:
        _nothing(box, answer)
        return
    spoken = unit(answer.panel["fieldConfig"]["defaults"]["unit"])
    lines = _legend(box, drawn, answer.panel)
    axes = box.axes(62, 42, 18, 34 + _LINE * lines, facecolor=PAPER)
    _series(axes, drawn, answer.panel)
    if answer.dots:
        axes.plot(*zip(*answer.dots, strict=True), "D", ms=4, color="#3d71d9", mec=PAPER, mew=0.6)
    for mark in page.marks:
        axes.axvline(mark, color=_NAMED["orange"], lw=1.2, ls=(0, (3, 2)), zorder=5)
    _frame(axes, answer.panel, spoken, page.shown)


def _series(axes: Axes, drawn: Sequence[Series], panel: Any) -> None:
    custom = panel["fieldConfig"]["defaults"].get("custom", {})
    stacked = custom.get("stacking", {}).get("mode") == "normal"
    opacity = custom.get("fillOpacity", 0) / 100
    base = np.zeros_like(drawn[0].values)
    nobody = ~np.any([np.isfinite(one.values) for one in drawn], axis=0)
    for place, one in enumerate(drawn):
        tint = _colour(panel, one.name, place)
        top = base + np.nan_to_num(one.values) if stacked else one.values
        top = np.where(nobody, np.nan, top)
        alone = np.isfinite(top) & ~np.isfinite(np.r_[np.nan, top[:-1]] + np.r_[top[1:], np.nan])
        axes.plot(one.times, top, color=tint, lw=1.4, solid_joinstyle="round")
        axes.plot(one.times[alone], top[alone], ".", color=tint, ms=3)
        axes.fill_between(one.times, base, top, color=tint, alpha=opacity, lw=0)
        base = top if stacked else base


def _legend(box: _Box, drawn: Sequence[Series], panel: Any) -> int:
    """Names below, as many a line as there is room for; returns the lines."""
    rows: list[list[tuple[float, int]]] = [[]]
    at = 12.0
    for place, one in enumerate(drawn):
        wide = _ENTRY + _LETTER * len(one.name)
        if rows[-1] and at + wide > box.width - 8:
            rows.append([])
            at = 12.0
        rows[-1].append((at, place))
        at += wide
    for line, row in enumerate(rows):
        y = box.height - 12 - _LINE * (len(rows) - 1 - line)
        for x, place in row:
            name = drawn[place].name
            box.stroke(x, y, 14, _colour(panel, name, place))
            box.text(x + 19, y, name, fontsize=9, va="center")
    return len(rows)


def _frame(axes: Axes, panel: Any, spoken: Callable[[float], str], shown: Shown) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    low, high = axes.get_ylim()
    soft = defaults.get("custom", {}).get("axisSoftMax", 0)
    low, high = defaults.get("min", low), defaults.get("max", max(high, soft))
    nothing = "min" in defaults and axes.dataLim.y1 <= low
    axes.set_ylim(low, low + 1 if nothing else high)
    axes.set_xlim(shown.since, shown.until)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: spoken(value)))
    wide = axes.get_position().width * _PIXELS
    axes.xaxis.set_major_locator(MaxNLocator(max(2, int(wide / 105)), steps=[1, 1.5, 3, 6, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: clock(value)))
    axes.grid(color=GRID, lw=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=8.5, labelcolor=FAINT)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _nothing(box: _Box, answer: Answer) -> None:
    said = answer.panel["fieldConfig"]["defaults"].get("noValue") or "No data"
    where = box.width / 2, box.height / 2 + 8
    box.text(*where, said, fontsize=12, ha="center", va="center", color=FAINT)


def _colour(panel: Any, name: str, place: int) -> str:
    """The series' own where the panel names one; else the palette's next."""
    for override in panel["fieldConfig"].get("overrides") or ():
        if override["matcher"] == {"id": "byName", "options": name}:
            for told in override["properties"]:
                if told["id"] == "color":
                    return _NAMED[told["value"]["fixedColor"]]
    return COLOURS[place % len(COLOURS)]


_DRAWN = {"row": _row, "stat": _stat, "timeseries": _graph}
