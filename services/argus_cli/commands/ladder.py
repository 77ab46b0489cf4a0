"""`argus ladder check`: whether a document's levels can be drawn, before any GPU is used."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from argus_core.spec import Variant
    from argus_worker.families.facts import Facts

app = typer.Typer(no_args_is_help=True)
console = Console()


@app.callback()
def ladder() -> None:
    """Check that a document's models can draw what its ladder asks for."""


@app.command()
def check(
    file: Annotated[
        Path | None,
        typer.Option("-f", "--file", help="ArgusCluster document; the small studio without one."),
    ] = None,
) -> None:
    """Hold every level against what its variant's family can do; no weights are read.

    Weights are weighed against the memory of GPUs where they are on this machine.
    """
    from argus_cli.document import load_document  # noqa: PLC0415 - slow to import
    from argus_cli.rungs import problems, unweighed  # noqa: PLC0415

    spec = load_document(file)[1].spec
    found = list(problems(spec, _facts, _folder))
    for problem in found:
        console.print(
            f"[red]{escape(problem.field)}[/]: {escape(problem.problem)}",
            highlight=False,
            soft_wrap=True,
        )
    if found:
        sys.exit(1)
    console.print(f"{len(spec.ladder)} levels of {len(spec.variants)} variants: all can be drawn")
    if unknown := ", ".join(variant.name for variant in unweighed(spec, _folder)):
        console.print(
            f"not weighed against GPUs' memory, as their weights are not here: {escape(unknown)}",
            highlight=False,
            soft_wrap=True,
        )


def _facts(family: str) -> Facts:
    """By the class alone; LookupError where there is none."""
    from argus_worker.errors import BadModel  # noqa: PLC0415
    from argus_worker.families import find_family  # noqa: PLC0415 - brings diffusers

    try:
        return find_family(family).FACTS
    except BadModel as error:
        raise LookupError(str(error)) from error


def _folder(variant: Variant) -> Path | None:
    """Where the model is, if it is here; nothing is downloaded."""
    from argus_worker.errors import BadModel  # noqa: PLC0415
    from argus_worker.sources import resolve  # noqa: PLC0415

    try:
        return resolve(variant, only_here=True)
    except BadModel:
        return None
