"""`argus draw`: a prompt in, pictures on disk."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Column, Table

from argus_cli import options
from argus_cli.local.reach import (
    ApiKey,
    Ca,
    Certificate,
    Endpoint,
    Key,
    ServerName,
    tls_of,
)
from argus_core.errors import InvalidRequest

if TYPE_CHECKING:
    from PIL import Image

    from argus_client import Accepted, Order, Picture, Progress, Tls

SMALL = 128
"""Pixels a side below which a picture is enlarged to be seen, unless told otherwise."""
SHOWN = 384
"""Pixels a side that a small picture is enlarged to, about."""

console = Console()


def draw(
    prompt: Annotated[str, typer.Argument(help="What to draw.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write.")] = Path(
        "out.png"
    ),
    n: Annotated[int, typer.Option("--n", help="Pictures, 1 to 10.")] = 1,
    seed: Annotated[
        int | None, typer.Option(help="Of the first picture; each further one takes the next.")
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="Such as 48x48, in pixels; else the cluster's.")
    ] = None,
    negative_prompt: Annotated[str, typer.Option(help="What to avoid.")] = "",
    level: Annotated[str, typer.Option(help="Draw at this level and no other.")] = "",
    deadline: Annotated[
        str | None, typer.Option(help="Such as 10s, until the last picture; else the cluster's.")
    ] = None,
    minimum_quality: Annotated[
        float | None,
        typer.Option(
            "--minimum-quality",
            "--min-quality",
            help="Predicted, 0 to 1: draw nothing below it; else the cluster's.",
        ),
    ] = None,
    scale: Annotated[
        int | None, typer.Option(min=1, max=64, help="Enlarge so many times; 1 for raw pixels.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show every level weighed.")] = False,
    endpoint: Endpoint = None,
    api_key: ApiKey = "",
    ca: Ca = None,
    certificate: Certificate = None,
    key: Key = None,
    server_name: ServerName = "",
) -> None:
    """Draw a prompt; where no cluster is up, one is started here and stopped again."""
    from argus_client import Order  # noqa: PLC0415 - brings grpc, slow to import

    order = Order(
        prompt=prompt,
        negative_prompt=negative_prompt,
        size=None if size is None else options.size("--size", size),
        count=n,
        seed=seed,
        level=level,
        deadline=None if deadline is None else options.duration("--deadline", deadline),
        minimum_quality=minimum_quality,
        explain=explain,
    )
    _check_output(output)
    tls = tls_of(ca, certificate, key, server_name)
    drawn = asyncio.run(_draw(order, endpoint, api_key, tls))
    paths = [write(picture, output, len(drawn), scale) for picture in drawn]
    console.print(_table(drawn, paths))
    if explain:
        console.print(_options(drawn[0]))
    else:
        console.print(drawn[0].decision.reason, highlight=False)


def write(picture: Picture, output: Path, count: int, scale: int | None) -> Path:
    """Write a picture, enlarged where it is small; several get their number in the name."""
    path = output.with_stem(f"{output.stem}-{picture.index}") if count > 1 else output
    if scale == 1 and path.suffix == ".png":
        path.write_bytes(picture.data)
    else:
        enlarge(picture.image(), scale).save(path)
    return path


def enlarge(image: Image.Image, scale: int | None) -> Image.Image:
    """The picture `scale` times as large; None enlarges small ones so that they can be seen."""
    from PIL import Image as Pillow  # noqa: PLC0415 - slow to import

    if scale is None:
        scale = max(1, SHOWN // image.width) if image.width <= SMALL else 1
    size = (image.width * scale, image.height * scale)
    return image.convert("RGB").resize(size, Pillow.Resampling.BICUBIC)


def _check_output(output: Path) -> None:
    """Before a picture is drawn, not after."""
    if not output.parent.is_dir():
        raise InvalidRequest.one("--output", f"there is no folder {output.parent}")
    if output.suffix.lower() not in {".png", ".jpg", ".jpeg", ".webp"}:
        raise InvalidRequest.one("--output", "must end in .png, .jpg or .webp")


async def _draw(order: Order, endpoint: str | None, api_key: str, tls: Tls | None) -> list[Picture]:
    from argus_cli.local.endpoint import find_or_start  # noqa: PLC0415
    from argus_client import AsyncClient  # noqa: PLC0415 - brings grpc, slow to import

    async with AsyncExitStack() as stack:
        address = endpoint
        if address is None:
            address = await stack.enter_async_context(find_or_start(console))
        client = await stack.enter_async_context(AsyncClient(address, api_key=api_key, tls=tls))
        bar = stack.enter_context(
            Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("steps"),
                TimeElapsedColumn(),
                console=console,
                transient=True,
            )
        )
        tasks = [bar.add_task(f"picture {i}", total=None) for i in range(max(order.count, 0))]

        def accepted(event: Accepted) -> None:
            level = event.decision.level
            bar.update(tasks[event.index], description=f"picture {event.index} at {level}")

        def progressed(event: Progress) -> None:
            bar.update(tasks[event.index], completed=event.step, total=event.steps)

        return await client.draw(order, on_accepted=accepted, on_progress=progressed)


def _table(drawn: list[Picture], paths: list[Path]) -> Table:
    # Names and seeds are of use only whole.
    others = ("level", "seed", "worker", "queued", "total")
    table = Table(Column("file", overflow="fold"), *(Column(name, no_wrap=True) for name in others))
    for picture, path in zip(drawn, paths, strict=True):
        table.add_row(
            str(path),
            picture.decision.level,
            str(picture.seed),
            picture.worker,
            f"{picture.timing.queue:.2f} s",
            f"{picture.timing.total:.2f} s",
        )
    return table


def _options(picture: Picture) -> Table:
    table = Table("level", "quality", "done in", "", title="Levels weighed")
    for option in picture.decision.options:
        table.add_row(
            option.level,
            f"{option.predicted_quality:.2f}",
            f"{option.expected_completion:.2f} s",
            option.rejected or picture.decision.reason,
        )
    return table
