"""Where a command's results go: the terminal, and files of one name in a folder."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from argus_cli.simulate.page import Sheet, write_page
from argus_cli.simulate.panels import Board
from argus_cli.simulate.plots import draw_board
from argus_cli.simulate.record import write_record

console = Console()


def typed() -> str:
    """The command as it was typed."""
    return shlex.join(["argus", *sys.argv[1:]])


def show(sheet: Sheet, *, title: str) -> None:
    """Print a table, and its notes."""
    console.print(title, style="bold", highlight=False, markup=False)
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    for i, name in enumerate(sheet.head):
        table.add_column(name, justify="right" if i else "left", no_wrap=not i)
    for row in sheet.rows:
        table.add_row(*row)
    console.print(table)
    say(sheet.notes)


def say(sentences: Sequence[str]) -> None:
    """Print sentences."""
    for sentence in sentences:
        console.print(sentence, highlight=False, markup=False)


def write(
    folder: Path,
    record: Mapping[str, Any],
    board: Board,
    sheet: Sheet,
    *,
    names: tuple[str, str, str],
) -> None:
    """Write the record, the picture and the page, under these names, and say so."""
    data, picture, page = (folder / name for name in names)
    write_record(record, data)
    draw_board(board, picture)
    write_page(board, sheet, page, command=str(record["command"]))
    wrote = f"Wrote {data}, {picture} and {page}."
    Console(stderr=True).print(wrote, highlight=False, markup=False, soft_wrap=True)
