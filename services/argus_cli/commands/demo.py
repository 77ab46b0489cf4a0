"""`argus demo`: a cluster for the time, prompts from easy to hard, and one contact sheet."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from argus_shapes.captions import Scene, parse

if TYPE_CHECKING:
    from PIL import Image

    from argus_cli.sheet import Row
    from argus_client import AsyncClient, Picture

PROMPTS = (
    "a large red circle",
    "a small blue triangle",
    "three yellow triangles",
    "four small green squares",
    "a purple circle above a black square",
    "two large red circles left of a blue square",
    "two green squares and three red circles",
    "two blue squares and a yellow circle",
    "a black triangle, two purple circles and a green square",
    "a large black triangle, two purple squares and a red square",
)
FIRST_SEED = 7
"""Of the first prompt; each further one takes the next, all levels of a prompt the same."""
DEADLINE = 60.0
"""Seconds for each picture: the demo shows pictures, not haste."""

console = Console()


def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="The contact sheet.")] = Path(
        "out/contact-sheet.png"
    ),
) -> None:
    """Draw ten prompts at three levels on this machine, and check each picture; no GPU needed."""
    from argus_cli.sheet import compose  # noqa: PLC0415 - brings Pillow

    levels, pictures = asyncio.run(_draw_all())
    rows = [_row(prompt, row) for prompt, row in zip(PROMPTS, pictures, strict=True)]
    sheet = compose(
        rows,
        title="Argus: the same prompts, level by level",
        subtitle="Drawn by the small models on this machine's CPU. A check: the detector "
        "found just what the caption asks.",
    )
    output.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(output)
    console.print(_table(levels, rows))
    console.print(f"Contact sheet: [bold]{output.resolve()}[/]")


async def _draw_all() -> tuple[list[str], list[list[Picture]]]:
    from argus_cli.local.endpoint import start  # noqa: PLC0415
    from argus_client import AsyncClient  # noqa: PLC0415 - brings grpc, slow to import

    async with start(console) as address, AsyncClient(address) as client:
        cluster = await client.describe()
        levels = _shown([(level.name, level.variant) for level in cluster.levels])
        with Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=console
        ) as bar:
            task = bar.add_task("drawing", total=len(PROMPTS) * len(levels))
            pictures = []
            for seed, prompt in enumerate(PROMPTS, FIRST_SEED):
                bar.update(task, description=prompt)
                pictures.append(await _draw_row(client, prompt, seed, levels))
                bar.advance(task, len(levels))
        return levels, pictures


async def _draw_row(
    client: AsyncClient, prompt: str, seed: int, levels: list[str]
) -> list[Picture]:
    """One prompt at every level shown, one after the other, so that the seconds are its own."""
    from argus_client import Order  # noqa: PLC0415 - brings grpc, slow to import

    row = []
    for level in levels:
        order = Order(prompt=prompt, level=level, seed=seed, deadline=DEADLINE)
        row += await client.draw(order)
    return row


def _shown(levels: list[tuple[str, str]]) -> list[str]:
    """The dearest level of every variant, in the ladder's order."""
    first: dict[str, str] = {}
    for name, variant in levels:
        first.setdefault(variant, name)
    return list(first.values())


def is_exact(scene: Scene, image: Image.Image) -> bool:
    """Whether the detector finds just what the scene asks."""
    import numpy as np  # noqa: PLC0415 - slow to import

    from argus_shapes.detector import detect, judge  # noqa: PLC0415

    pixels = np.asarray(image.convert("RGB")).astype(np.float32) / np.float32(255)
    return judge(scene, detect(pixels)).exact


def _row(prompt: str, drawn: list[Picture]) -> Row:
    from argus_cli.sheet import Cell, Row  # noqa: PLC0415 - brings Pillow

    scene = parse(prompt)
    cells = [
        Cell(
            image=picture.image(),
            level=picture.decision.level,
            seconds=picture.timing.total,
            exact=is_exact(scene, picture.image()),
        )
        for picture in drawn
    ]
    return Row(caption=prompt, note=scene.difficulty, cells=cells)


def _table(levels: list[str], rows: list[Row]) -> Table:
    table = Table("prompt", *levels, title="Exactly as asked, and seconds")
    for row in rows:
        marks = ("[green]yes[/]" if cell.exact else "[red]no[/]" for cell in row.cells)
        cells = zip(marks, row.cells, strict=True)
        table.add_row(row.caption, *(f"{mark} {cell.seconds:.2f} s" for mark, cell in cells))
    return table
