"""How a profile goes, on the terminal: a bar with the time left, and tables at the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from argus_cli.profile.ask import Ask
from argus_cli.profile.measure import WARM_UP
from argus_cli.profile.report import sheets
from argus_cli.profile.run import AnyUnit, Watching
from argus_cli.profile.units import DrawUnit, StartUnit, TimeUnit
from argus_core.profile.document import ArgusProfile

_SPEED_OVER = 60.0
"""Seconds of which the speed is taken, from which the time left is reckoned."""


@contextmanager
def progress(ask: Ask) -> Iterator[Watching]:
    """Show how far it is, by the steps that are to be denoised."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(), TextColumn("gone,"), TimeRemainingColumn(), TextColumn("to go"),
    )  # fmt: skip
    console = Console(stderr=True)
    hidden = not console.is_terminal
    with Progress(
        *columns, console=console, transient=True, disable=hidden, speed_estimate_period=_SPEED_OVER
    ) as bar:
        task = bar.add_task("starting workers", total=None)

        def planned(units: Sequence[AnyUnit]) -> None:
            bar.update(task, total=sum(_steps(unit, ask) for unit in units))

        def began(phase: str) -> None:
            bar.update(task, description=phase)
            if hidden:
                console.print(phase, highlight=False)

        def done(unit: AnyUnit) -> None:
            bar.advance(task, _steps(unit, ask))

        yield Watching(planned=planned, began=began, done=done)


def print_report(profile: ArgusProfile, console: Console) -> None:
    """Print all tables."""
    for sheet in sheets(profile):
        console.print(sheet.title, style="bold", highlight=False, markup=False)
        table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for i, name in enumerate(sheet.head):
            table.add_column(name, justify="right" if i else "left")
        for row in sheet.rows:
            table.add_row(*row)
        console.print(table)
        console.print()


def _steps(unit: AnyUnit, ask: Ask) -> int:
    """Denoising steps that a piece takes, about."""
    match unit:
        case TimeUnit():
            return (ask.samples + WARM_UP) * unit.batch * unit.level.steps
        case DrawUnit():
            return len(ask.seeds) * unit.level.steps
        case StartUnit():
            once = sum(level.steps - level.skipped_steps for level in unit.levels)
            return len(ask.start_seeds) * (unit.levels[0].steps + once)
        case _:
            return 1
