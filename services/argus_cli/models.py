"""`argus train-models` and `argus evaluate`: make the small models again, and measure them.

torch is imported when a command runs, not before: the other commands start without it.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import argus_shapes
from argus_shapes import report
from argus_shapes.captions import DIFFICULTIES
from argus_shapes.recipe import RECIPES

STEPS = {"shapes-large": (24, 12, 6), "shapes-small": (16, 8, 4), "shapes-tiny": (16, 8, 4)}
"""Step counts that `argus evaluate` measures: the default ladder's, and one below."""
TIMED_REPEATS = 15

console = Console()

Variants = Annotated[
    list[str] | None, typer.Argument(help="Variants, such as shapes-tiny; all when left out.")
]


def train_models(
    variants: Variants = None,
    out: Annotated[Path, typer.Option(help="Folder that gets a folder a variant.")] = Path(
        "models/argus_shapes/weights"
    ),
    scratch: Annotated[
        Path, typer.Option(help="Keeps checkpoints, from which a stopped run goes on.")
    ] = Path(".cache/training"),
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
    compiled: Annotated[
        bool, typer.Option("--compile/--no-compile", help="A third faster; needs a C++ compiler.")
    ] = True,
) -> None:
    """Train the small models from nothing: hours on a CPU, minutes on a GPU."""
    from argus_shapes.device import prepare  # noqa: PLC0415 - brings torch, slow to import
    from argus_shapes.training import train  # noqa: PLC0415

    device = prepare(threads)
    for name in _chosen(variants, list(RECIPES)):
        console.print(f"Training [bold]{name}[/] on {device} with {threads} thread(s)")
        train(RECIPES[name], out / name, scratch / name, device=device, compiled=compiled)
        console.print(f"Saved {out / name}")


def evaluate(
    variants: Variants = None,
    captions: Annotated[int, typer.Option(min=1, max=120, help="Of each difficulty.")] = 100,
    seeds: Annotated[int, typer.Option(min=1, help="Pictures of each caption.")] = 3,
    out: Annotated[Path, typer.Option(help="Figures as JSON.")] = Path("out/evaluation.json"),
    write: Annotated[
        bool, typer.Option("--write", help="Put the table into models/README.md.")
    ] = False,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
) -> None:
    """Measure how often the small models draw just what a caption asks."""
    from argus_shapes import evaluation  # noqa: PLC0415 - brings torch, slow to import
    from argus_shapes.device import prepare  # noqa: PLC0415

    device = prepare(threads)
    names = _chosen(variants, argus_shapes.builtin_names())
    todo = [(name, steps) for name in names for steps in STEPS[name]]
    total = len(todo) * captions * seeds * len(DIFFICULTIES)
    measures: list[evaluation.Measure] = []
    seconds: dict[str, dict[int, float]] = {}
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    ) as bar:
        task = bar.add_task("pictures", total=total)
        for name, steps in todo:
            bar.update(task, description=f"{name}, {steps} steps")
            pipeline = evaluation.load(argus_shapes.weights_path(name), device=device)
            measures += evaluation.measure(
                pipeline,
                name,
                steps=steps,
                captions=captions,
                seeds=seeds,
                on_drawn=lambda drawn: bar.advance(task, drawn),
            )
            seconds.setdefault(name, {})[steps] = evaluation.seconds_per_image(
                pipeline, steps=steps, repeats=TIMED_REPEATS
            )
    document = evaluation.as_document(measures, seconds)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(document, indent=1) + "\n")
    rows = report.rows([asdict(measure) for measure in measures], document["seconds"])
    console.print(report.as_terminal_table(rows))
    console.print(f"Figures in {out}")
    if write:
        report.write_into(Path("models/README.md"), rows)
        console.print("Table in models/README.md")


def _chosen(variants: list[str] | None, known: list[str]) -> list[str]:
    for name in variants or ():
        if name not in known:
            raise typer.BadParameter(f"no variant {name!r}; there are {', '.join(known)}")
    return variants or known
