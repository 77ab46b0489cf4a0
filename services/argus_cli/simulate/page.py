"""A page of a run or a comparison: the table and the panels, in one file that needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from argus_cli.simulate import palette
from argus_cli.simulate.panels import Board, Line, Panel, Point

_PANEL, _GAP = 230, 70
"""Pixels: a panel's height, and what lies between two."""
_HALF_SEEN = 0.85
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "pentagon", "x", "star")

_STYLE = f"""
body {{ font: 15px/1.5 system-ui, sans-serif; color: {palette.INK}; max-width: 72rem;
  margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.5rem; margin: 0; }}
p {{ color: {palette.FAINT}; margin: .25rem 0; }}
table {{ border-collapse: collapse; margin: 1.5rem 0; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .3rem .9rem .3rem 0; text-align: right; white-space: nowrap;
  border-bottom: 1px solid {palette.GRID}; }}
th:first-child, td:first-child {{ text-align: left; }}
code {{ font-size: .85rem; }}
"""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A table as text."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    """Sentences below."""


def write_page(board: Board, sheet: Sheet, path: Path, *, command: str) -> None:
    """Write a page that opens in any browser, without a network."""
    path.write_text(page(board, sheet, command=command), "utf-8")


def page(board: Board, sheet: Sheet, *, command: str) -> str:
    """The page as HTML."""
    title = escape(board.title)
    notes = "".join(f"<p>{escape(note)}</p>" for note in sheet.notes)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body>\n<h1>{title}</h1><p>{escape(board.subtitle)}</p>"
        f"<p><code>{escape(command)}</code></p>\n{_table(sheet)}{notes}\n{_plot(board)}\n"
        "</body></html>\n"
    )


def _table(sheet: Sheet) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in sheet.head)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in sheet.rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _plot(board: Board) -> str:
    from plotly.io import to_html  # noqa: PLC0415 - slow to import

    config = {"displaylogo": False, "responsive": True}
    html: str = to_html(
        _figure(board), full_html=False, include_plotlyjs=True, config=config, div_id="panels"
    )
    return html


def _figure(board: Board) -> Any:
    from plotly.graph_objects import Figure  # noqa: PLC0415

    figure = Figure()
    height = len(board.panels) * (_PANEL + _GAP)
    seen: set[str] = set()
    for i, panel in enumerate(board.panels, start=1):
        for trace in _traces(board, panel, i, seen):
            figure.add_trace(trace)
        top = 1 - (i - 1) * (_PANEL + _GAP) / height
        figure.update_layout(_axes(board, panel, i, (top - _PANEL / height, top)))
        figure.add_annotation(
            text=f"<b>{escape(panel.title)}</b>  {escape(panel.unit)}", x=0, y=top, xref="paper",
            yref="paper", xanchor="left", yanchor="bottom", showarrow=False,
        )  # fmt: skip
    figure.update_layout(
        template="plotly_white", height=height + 80, hovermode="x unified",
        margin={"l": 60, "r": 20, "t": 40, "b": 40}, font={"color": palette.INK},
    )  # fmt: skip
    return figure


def _axes(board: Board, panel: Panel, i: int, domain: tuple[float, float]) -> dict[str, Any]:
    """Axes of a panel: all over time move together."""
    number = "" if i == 1 else str(i)
    across: dict[str, Any] = {"anchor": f"y{number}", "title": {"text": board.unit}}
    if panel.points:
        across["title"] = {"text": panel.x_title}
    elif i > 1:
        across["matches"] = "x"
    up: dict[str, Any] = {"anchor": f"x{number}", "domain": domain}
    if panel.top is None and not panel.points:
        up["rangemode"] = "tozero"
    return {f"xaxis{number}": across, f"yaxis{number}": up}


def _traces(board: Board, panel: Panel, i: int, seen: set[str]) -> list[Any]:
    """Of one panel; a name stands once in the legend, and switches all that bear it."""
    number = "" if i == 1 else str(i)
    axes = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
    marks = [_line(board, panel, line) for line in panel.lines]
    marks += [_point(point, at) for at, point in enumerate(panel.points)]
    for mark in marks:
        mark.update(axes, showlegend=mark.name not in seen, legendgroup=mark.name)
        seen.add(mark.name)
    return marks


def _line(board: Board, panel: Panel, line: Line) -> Any:
    from plotly.graph_objects import Scatter  # noqa: PLC0415

    y = [None if value != value else round(value, 5) for value in line.y.tolist()]  # noqa: PLR0124
    stack = {"stackgroup": panel.title, "fillcolor": line.colour} if panel.stacked else {}
    width = 0 if panel.stacked else 2.5 if line.wide else 1.5
    dash = line.dash
    return Scatter(
        x=board.x.tolist(), y=y, name=line.name, mode="lines",
        line={"color": line.colour, "dash": dash, "width": width}, opacity=_HALF_SEEN, **stack,
    )  # fmt: skip


def _point(point: Point, at: int) -> Any:
    from plotly.graph_objects import Scatter  # noqa: PLC0415

    return Scatter(
        x=[point.x.mean], y=[point.y.mean], name=point.name, mode="markers",
        marker={"color": point.colour, "size": 10, "symbol": _SYMBOLS[at % len(_SYMBOLS)]},
        error_x={"array": [point.x.half or 0]}, error_y={"array": [point.y.half or 0]},
    )  # fmt: skip
