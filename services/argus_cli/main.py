"""The `argus` command: a table of commands, and errors as one clear line."""

from __future__ import annotations

import sys
from typing import Annotated

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
from argus_core.errors import ArgusError, InvalidRequest, Unavailable

UNREACHED = "\nNo router answered: look at --endpoint, and whether it asks for TLS (--ca)."
SERVE, MEASURE, PLAN, LEARN = "Serve and draw", "Load and measure", "Plan", "Train"

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:  # noqa: FBT001 - typer calls it so
    if asked:
        version.version()
        raise typer.Exit


@app.callback()
def argus(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Serve text-to-image prompts on a fixed number of GPUs, as well as the deadline allows.

    Begin with `argus demo`, or with `argus up` and `argus draw` beside it.
    """


app.command(rich_help_panel=SERVE)(demo.demo)
app.command(rich_help_panel=SERVE)(up.up)
app.command(rich_help_panel=SERVE)(draw.draw)
app.command(rich_help_panel=SERVE)(status.status)
app.command(rich_help_panel=SERVE)(top.top)
app.command(rich_help_panel=SERVE)(why.why)
app.command(rich_help_panel=SERVE)(assign.assign)
app.add_typer(key.app, name="key", rich_help_panel=SERVE)
app.command(rich_help_panel=MEASURE)(load.load)
app.command("check-load", rich_help_panel=MEASURE)(load.check)
app.command(rich_help_panel=MEASURE)(profile.profile)
app.add_typer(ladder.app, name="ladder", rich_help_panel=MEASURE)
app.command(rich_help_panel=PLAN)(plan.plan)
app.command(rich_help_panel=PLAN)(simulate.simulate)
app.command(rich_help_panel=PLAN)(compare.compare)
app.command("train-predictor", rich_help_panel=LEARN)(train_predictor.train_predictor)
app.command("train-models", rich_help_panel=LEARN)(train_models)
app.command(rich_help_panel=LEARN)(evaluate)
app.command(hidden=True)(version.version)


def main() -> None:
    """Run the command line.

    What Argus raised, or the system (a full disk, a folder that may not be written), is told in a
    line and ends it with status 1, or 2 for usage.
    """
    try:
        app()
    except ArgusError as error:
        retry = "" if error.retry_after is None else f" (try again in {error.retry_after:.1f} s)"
        hint = UNREACHED if _is_unreached(error) else ""
        _tell(f"{_said(error)}{retry}{hint}")
        sys.exit(2 if _is_usage(error) else 1)
    except OSError as error:
        about = f"{error.filename}: " if error.filename else ""
        _tell(f"{about}{error.strerror or error}")
        sys.exit(1)


def _said(error: ArgusError) -> str:
    """Several fields that are wrong in a line each."""
    if not isinstance(error, InvalidRequest) or len(error.violations) == 1:
        return str(error)
    told = [f"{v.field}: {v.problem}" for v in error.violations]
    return "\n  ".join([f"{len(told)} fields are wrong", *told])


def _is_unreached(error: ArgusError) -> bool:
    """Whether nobody of ours answered: whoever does tells a status with what it refuses."""
    trailing = getattr(error.__cause__, "trailing_metadata", None)
    return isinstance(error, Unavailable) and trailing is not None and not list(trailing() or ())


def _tell(said: str) -> None:
    Console(stderr=True).print(
        f"[bold red]error:[/] {escape(said)}", highlight=False, soft_wrap=True
    )


def _is_usage(error: ArgusError) -> bool:
    """Whether the command line itself is wrong: its options are the only fields with dashes."""
    return isinstance(error, InvalidRequest) and error.violations[0].field.startswith("--")
