"""The `argus` command: a table of commands, and errors as one clear line."""

from __future__ import annotations

import sys

import typer
from rich.console import Console
from rich.markup import escape

from argus_cli.commands import (
    assign,
    compare,
    demo,
    draw,
    key,
    ladder,
    load,
    plan,
    profile,
    simulate,
    status,
    top,
    train_predictor,
    up,
    version,
    why,
)
from argus_cli.models import evaluate, train_models
from argus_core.errors import ArgusError, InvalidRequest

app = typer.Typer(
    help="Quality-aware text-to-image serving.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(up.up)
app.command()(draw.draw)
app.command()(status.status)
app.command()(why.why)
app.command()(top.top)
app.command()(assign.assign)
app.command()(demo.demo)
app.command()(load.load)
app.command("check-load")(load.check)
app.command()(profile.profile)
app.command()(plan.plan)
app.add_typer(ladder.app, name="ladder")
app.command()(simulate.simulate)
app.command()(compare.compare)
app.command()(evaluate)
app.command("train-models")(train_models)
app.command("train-predictor")(train_predictor.train_predictor)
app.add_typer(key.app, name="key")
app.command()(version.version)


def main() -> None:
    """Run the command line.

    What Argus raised, or the system (a full disk, a folder that may not be written), is told in a
    line and ends it with status 1, or 2 for usage.
    """
    try:
        app()
    except ArgusError as error:
        retry = "" if error.retry_after is None else f" (try again in {error.retry_after:.1f} s)"
        _tell(f"{error}{retry}")
        sys.exit(2 if _is_usage(error) else 1)
    except OSError as error:
        about = f"{error.filename}: " if error.filename else ""
        _tell(f"{about}{error.strerror or error}")
        sys.exit(1)


def _tell(said: str) -> None:
    Console(stderr=True).print(
        f"[bold red]error:[/] {escape(said)}", highlight=False, soft_wrap=True
    )


def _is_usage(error: ArgusError) -> bool:
    """Whether the command line itself is wrong: its options are the only fields with dashes."""
    return isinstance(error, InvalidRequest) and error.violations[0].field.startswith("--")
