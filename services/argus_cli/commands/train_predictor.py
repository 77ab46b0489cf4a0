"""`argus train-predictor`: from a profile to a head that tells each prompt's quality."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markdown import Markdown

from argus_predictor.status import NOT_BETTER

console = Console()


def train_predictor(
    profile: Annotated[Path, typer.Argument(help="Profile document, from argus profile.")],
    labels: Annotated[
        Path | None, typer.Option(help="JSON lines of served images that were judged.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The head's folder, which gets the report too.")] = Path(
        "out/head"
    ),
    against: Annotated[
        Path | None, typer.Option(help="A head's folder, to be beaten; else what is in --out.")
    ] = None,
    encoder: Annotated[str, typer.Option(help="Sentence encoder.")] = "all-MiniLM-L6-v2",
    seed: Annotated[int, typer.Option(help="Of what training leaves to chance.")] = 0,
) -> None:
    """Train a head of the predictor, report on it, and keep it if it beats the one in place."""
    from argus_cli.simulate.progress import bar  # noqa: PLC0415 - slow to import
    from argus_predictor.training.command import run  # noqa: PLC0415 - brings torch

    with bar("training") as progress:
        outcome = run(
            profile, out, labels=labels, against=against, encoder=encoder, seed=seed,
            progress=progress,
        )  # fmt: skip
    console.print(Markdown(outcome.page.rpartition("![")[0]))
    if not outcome.written:
        console.print(f"Nothing was written: {outcome.comparison.reason}.", highlight=False)
        sys.exit(NOT_BETTER)
    console.print(f"Head {outcome.version} and its report are in {out}.", highlight=False)
