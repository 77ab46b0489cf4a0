"""`argus plan`: how many GPUs a load needs, holding what, and what one fewer would cost."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from argus_cli.simulate import flags

if TYPE_CHECKING:
    from argus_core.planning.problem import PlanProblem
    from argus_core.profile.document import ArgusProfile
    from argus_core.spec import ArgusCluster

LIMIT = 2.0
"""Seconds of search for each size; a plan on a screen may take longer than one in a loop."""

OPTIONS = {
    "rate": "--rate",
    "burstiness": "--burstiness",
    "rules.deadline": "--slo",
    "rules.target": "--target",
}
"""By field of the problem."""

console = Console()


def plan(
    rate: Annotated[float, typer.Option(help="Images a second.")],
    slo: Annotated[
        str | None, typer.Option(help="Deadline, such as 8s; else the document's.")
    ] = None,
    quality: Annotated[float, typer.Option(help="Mean quality to reach, 0 to 1.")] = 0.9,
    target: Annotated[
        float | None, typer.Option(help="Share to be in time; else the document's.")
    ] = None,
    burstiness: Annotated[
        float, typer.Option(help="Squared variation of the gaps between arrivals; 1 is Poisson.")
    ] = 1.0,
    workers: Annotated[
        int | None, typer.Option(help="Tell of this many GPUs besides, one fewer, one more.")
    ] = None,
    pool: Annotated[str | None, typer.Option(help="Pool to size; else the first.")] = None,
    qualities: Annotated[
        Path | None,
        typer.Option(help="CSV of qualities, a column a level and a row a prompt; else priors."),
    ] = None,
    profile: flags.Profile = None,
    file: Annotated[
        Path | None,
        typer.Option("-f", "--file", help="ArgusCluster document; the small studio without one."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say how many GPUs a load needs, holding what, and what one GPU fewer would mean."""
    from argus_cli import options  # noqa: PLC0415
    from argus_cli.document import load_document  # noqa: PLC0415 - slow to import
    from argus_cli.profiles import applied, either, read_profile  # noqa: PLC0415
    from argus_cli.simulate import answer  # noqa: PLC0415
    from argus_cli.simulate.capacity import MOST, capacity  # noqa: PLC0415 - brings the solver
    from argus_cli.simulate.ladder import pool_of  # noqa: PLC0415

    either(qualities, profile)
    _, document = load_document(file)
    measured = read_profile(profile) if profile else None
    if profile and measured:
        document = applied(document, measured, profile)
    sized = pool_of(document.spec, pool).name
    options.above_zero("--rate", rate)
    options.share("--quality", quality)
    if workers is not None:
        options.count("--workers", workers, most=MOST)
    problem = _problem(document, rate, slo, target, burstiness, qualities, measured)
    with options.named(OPTIONS):
        found = capacity(problem, sized, quality=quality, clock=time.perf_counter, workers=workers)
    if as_json:
        typer.echo(answer.as_json(problem, found, sized, quality))
    else:
        console.print(answer.table(problem, found, sized))
        for line in answer.sentences(problem, found, sized, quality, workers):
            console.print(line, highlight=False)
    if found.smallest is None:
        sys.exit(1)


def _problem(
    document: ArgusCluster,
    rate: float,
    slo: str | None,
    target: float | None,
    burstiness: float,
    qualities: Path | None,
    profile: ArgusProfile | None,
) -> PlanProblem:
    from argus_cli import options  # noqa: PLC0415
    from argus_cli.profiles import measured_of  # noqa: PLC0415
    from argus_cli.qualities import read_qualities  # noqa: PLC0415
    from argus_cli.simulate.ladder import levels_of, qualities_of  # noqa: PLC0415
    from argus_core.planning.problem import PlanProblem, PoolBudget, Rules  # noqa: PLC0415

    spec = document.spec
    levels = levels_of(spec)
    variants = tuple((variant.name,) for variant in spec.variants)
    deadline = options.duration("--slo", slo) if slo is not None else spec.slo.deadline_seconds
    if target is not None:
        options.between("--target", target, 0, 1)
    options.above_zero("--burstiness", burstiness)
    names = [level.name for level in levels]
    known: Sequence[tuple[float, ...]] = (qualities_of(spec),)
    if qualities:
        known = read_qualities("--qualities", qualities, names).qualities
    if profile:
        known = measured_of(profile, names).qualities
    return PlanProblem(
        rules=Rules(
            deadline=deadline,
            target=spec.slo.target if target is None else target,
            shed_loss=spec.planning.shed_loss,
            time_limit=LIMIT,
        ),
        levels=levels,
        pools=tuple(
            PoolBudget(name=p.name, gpu_type=p.gpu_type, workers=p.workers, loadouts=variants)
            for p in spec.pools
        ),
        qualities=tuple(known),
        rate=rate,
        burstiness=burstiness,
    )
