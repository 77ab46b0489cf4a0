"""`argus profile`: what a ladder takes and gives, measured on the machine it runs on."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from argus_cli.profile.ask import Ask
    from argus_core.profile.document import ArgusProfile
    from argus_core.spec import ArgusCluster

STARTS = 40
"""Prompts that begin from latents too, where nothing else is asked for."""
INTERRUPTED = 130
"""Exit status of what Ctrl-C ended."""

console = Console()


def profile(
    file: Annotated[
        Path | None,
        typer.Option("-f", "--file", help="ArgusCluster document; the small studio without one."),
    ] = None,
    prompts: Annotated[
        Path | None, typer.Option(help="A prompt a line; else captions of the small family.")
    ] = None,
    captions: Annotated[int, typer.Option(help="Captions, where no prompts are given.")] = 100,
    seeds: Annotated[int, typer.Option(help="Pictures of each prompt at each level.")] = 4,
    first_seed: Annotated[
        int, typer.Option(help="The others follow; take another to add to a profile.")
    ] = 0,
    starts: Annotated[
        int, typer.Option(help="Prompts that begin from latents too, where levels do.")
    ] = STARTS,
    metric: Annotated[
        str | None, typer.Option(help="Who judges; else the document's predictor.metric.")
    ] = None,
    batches: Annotated[str, typer.Option(help="Images at once that are timed.")] = "1,2,4",
    sizes: Annotated[
        str | None, typer.Option(help="That are timed besides the default, such as 64x64,32x32.")
    ] = None,
    samples: Annotated[
        int, typer.Option(help="Batches that are timed, each after warming up.")
    ] = 10,
    workers: Annotated[
        int | None, typer.Option(help="Workers of the first pool; else the document's.")
    ] = None,
    worker: Annotated[
        list[str] | None,
        typer.Option(help="HOST:PORT of one that runs already; may be given again."),
    ] = None,
    internal_tls: Annotated[
        Path | None,
        typer.Option(
            help="Folder with ca.crt, tls.crt and tls.key, for workers of a cluster with "
            "spec.internalTls; the document's name and namespace are theirs."
        ),
    ] = None,
    add: Annotated[
        list[Path] | None,
        typer.Option(help="A profile of the same ladder to merge in; may be given again."),
    ] = None,
    out: Annotated[Path, typer.Option(help="The profile; its report goes beside it.")] = Path(
        "out/profile.json"
    ),
) -> None:
    """Measure each level's time, memory and quality; run it again to go on where it stopped."""
    from argus_cli import options  # noqa: PLC0415
    from argus_cli.document import load_document  # noqa: PLC0415 - slow to import
    from argus_cli.profile.options import asked, of_ask, sized  # noqa: PLC0415
    from argus_core.profile.merging import merge  # noqa: PLC0415

    document = sized(load_document(file)[1], workers)
    ask = asked(
        document.spec, prompts=prompts, captions=captions, seeds=seeds, first_seed=first_seed,
        starts=starts, metric=metric, batches=batches, sizes=sizes, samples=samples,
    )  # fmt: skip
    others = [of_ask("--add", path, ask) for path in add or ()]
    options.folder("--out", out.parent)
    began = time.monotonic()
    try:
        found = asyncio.run(_measured(ask, document, worker or [], out, internal_tls))
    except KeyboardInterrupt:
        Console(stderr=True).print("Stopped; the same command goes on from here.")
        sys.exit(INTERRUPTED)
    _write(reduce(merge, [*others, found]), out, took=time.monotonic() - began)


async def _measured(
    ask: Ask, document: ArgusCluster, given: list[str], out: Path, internal_tls: Path | None
) -> ArgusProfile:
    from argus_cli.profile.crew import Given, local_crew  # noqa: PLC0415
    from argus_cli.profile.journal import Journal  # noqa: PLC0415
    from argus_cli.profile.run import profiled  # noqa: PLC0415
    from argus_cli.profile.show import progress  # noqa: PLC0415
    from argus_rpc.peers import peers_of  # noqa: PLC0415

    where = document.metadata
    peers = peers_of(internal_tls, where.name, where.namespace)
    with Journal(journal_of(out), ask.told()) as journal, progress(ask) as watching:
        if given:
            return await profiled(ask, document.spec, Given(given, peers), journal, watching)
        async with local_crew(document, slots=max(ask.batches)) as crew:
            return await profiled(ask, document.spec, crew, journal, watching)


def _write(found: ArgusProfile, out: Path, *, took: float) -> None:
    from argus_cli.profile import plot, report  # noqa: PLC0415
    from argus_cli.profile.show import print_report  # noqa: PLC0415
    from argus_cli.simulate.output import typed  # noqa: PLC0415
    from argus_core.profile.document import dump_profile  # noqa: PLC0415

    part = out.with_name(out.name + ".part")
    part.write_text(json.dumps(dump_profile(found), ensure_ascii=False, indent=1) + "\n", "utf-8")
    page, picture = out.with_suffix(".md"), out.with_suffix(".png")
    said = report.markdown(found, command=typed(), machine=report.machine(), took=took)
    page.write_text(f"{said}\n![Time against quality]({picture.name})\n", "utf-8")
    plot.draw(found, picture)
    part.replace(out)
    journal_of(out).unlink(missing_ok=True)
    print_report(found, console)
    wrote = f"Wrote {out}, {page} and {picture}."
    console.print(wrote, highlight=False, markup=False, soft_wrap=True)


def journal_of(out: Path) -> Path:
    """Where what is done is kept until the profile is written."""
    return out.with_name(out.name + ".journal")
