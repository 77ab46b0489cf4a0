"""How good each level of the small models' ladder draws each of many captions.

    python bench/quality.py --captions 100 --seeds 4

A picture counts where the detector finds all that its caption asks for, and nothing else. Writes
a column a level and a row a caption (the share of its pictures that count), as `argus plan
--qualities` and `argus simulate --qualities` read it, and prints the means.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

import argus_shapes
from argus_cli.document import load_document
from argus_core.spec import Level
from argus_shapes import evaluation
from argus_shapes.captions import DIFFICULTIES, Scene
from argus_shapes.device import prepare

RESULTS = Path(__file__).parent / "results" / "shapes_quality.csv"


def measured(
    level: Level, scenes: list[Scene], *, seeds: int, device: str, bar: Progress
) -> list[float]:
    """By scene: the share of its pictures that are just as asked."""
    pipeline = evaluation.load(argus_shapes.weights_path(level.variant), device=device)
    task = bar.add_task(level.name, total=len(scenes) * seeds)
    verdicts = evaluation.judged(
        pipeline,
        scenes,
        steps=level.steps,
        seeds=seeds,
        on_drawn=lambda drawn: bar.advance(task, drawn),
    )
    exact = np.array([[verdict.exact for verdict in row] for row in verdicts], float)
    return [round(float(share), 4) for share in exact.mean(axis=0)]


def main() -> None:
    """Draw, judge, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--captions", type=int, default=100, help="of each difficulty")
    parser.add_argument("--seeds", type=int, default=4, help="pictures of each caption and level")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    console, device = Console(), prepare(1)
    _, document = load_document(None)
    kinds = [(kind, scene) for kind in DIFFICULTIES
             for scene in evaluation.unseen(kind, options.captions)]  # fmt: skip
    scenes = [scene for _, scene in kinds]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as bar:
        found = {
            level.name: measured(level, scenes, seeds=options.seeds, device=device, bar=bar)
            for level in document.spec.ladder
        }
    with options.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["difficulty", "caption", *found])
        for (kind, scene), row in zip(kinds, zip(*found.values(), strict=True), strict=True):
            writer.writerow([kind, scene.caption, *row])
    table = Table("level", *DIFFICULTIES, "all", title="Share of pictures just as asked")
    for name, shares in found.items():
        by_kind = np.array(shares).reshape(len(DIFFICULTIES), -1).mean(axis=1)
        table.add_row(name, *(f"{s:.3f}" for s in by_kind), f"{np.mean(shares):.3f}")
    console.print(table)
    console.print(f"Qualities in {options.out}")


if __name__ == "__main__":
    main()
