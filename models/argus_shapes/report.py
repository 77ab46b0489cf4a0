"""Turns an evaluation into tables: for the terminal, and for models/README.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from argus_shapes.captions import DIFFICULTIES

BEGIN, END = "<!-- evaluation: begin -->", "<!-- evaluation: end -->"
HEADINGS = ("variant", "steps", "s/image", *DIFFICULTIES, "mean", "shapes right")

Row = tuple[str, ...]


def rows(
    measures: Sequence[Mapping[str, Any]], seconds: Mapping[str, Mapping[str, float]]
) -> list[Row]:
    """One row a variant and step count: exact share with its 95 % interval, by difficulty."""
    table: dict[tuple[str, int], dict[str, Mapping[str, Any]]] = {}
    for measure in measures:
        key = (measure["variant"], measure["steps"])
        table.setdefault(key, {})[measure["difficulty"]] = measure
    return [
        (
            variant,
            str(steps),
            f"{seconds[variant][str(steps)]:.3f}",
            *(_cell(cells[difficulty]) for difficulty in DIFFICULTIES),
            f"{_mean(cells, 'exact'):.2f}",
            f"{_mean(cells, 'share'):.2f}",
        )
        for (variant, steps), cells in table.items()
    ]


def as_terminal_table(rows: Sequence[Row]) -> Table:
    """For rich to print."""
    table = Table(*HEADINGS, title="Drawn exactly as asked")
    for row in rows:
        table.add_row(*row)
    return table


def write_into(path: Path, rows: Sequence[Row]) -> None:
    """Replace what stands between the two evaluation marks of a Markdown page.

    Raises:
        ValueError: the page lacks the marks.
    """
    before, begin, rest = path.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{path}: needs a line {BEGIN!r} and a line {END!r}")
    lines = [HEADINGS, ("---",) * len(HEADINGS), *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    path.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")


def _cell(measure: Mapping[str, Any]) -> str:
    return f"{measure['exact']:.2f} ({measure['low']:.2f}-{measure['high']:.2f})"


def _mean(cells: Mapping[str, Mapping[str, Any]], key: str) -> float:
    return sum(cell[key] for cell in cells.values()) / len(cells)
