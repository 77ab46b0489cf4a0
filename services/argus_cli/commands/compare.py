"""`argus compare`: policies side by side on the same load, with how sure the difference is."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from argus_cli.simulate import flags

FILES = ("compare.json", "compare.png", "compare.html")
MOST_SEEDS, MOST_JOBS = 1000, 256


def compare(
    trace: flags.Trace = "bursty",
    rate: flags.Rate = None,
    duration: flags.Duration = None,
    speed: flags.Speed = None,
    slo: flags.Slo = None,
    workers: flags.Workers = None,
    pool: flags.Pool = None,
    file: flags.File = None,
    qualities: flags.Qualities = None,
    profile: flags.Profile = None,
    spread: flags.Spread = 0.4,
    correlation: flags.Correlation = 0.7,
    variation: flags.Variation = 0.02,
    switch: flags.Switch = None,
    interval: flags.Interval = "10s",
    retries: flags.Retries = 0,
    seed: flags.Seed = 0,
    policies: Annotated[
        str | None, typer.Option(help="Separated by commas; the first is held to the others.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Runs of each policy, each with its own seed.")] = 10,
    jobs: Annotated[
        int | None, typer.Option(help="Processes; else as many as this one has cores.")
    ] = None,
    bound: Annotated[
        bool, typer.Option("--bound", help="Tell too what nobody can beat; takes its time.")
    ] = False,
    out: flags.Out = None,
    as_json: flags.Json = False,
) -> None:
    """Compare policies on the same load, and say how sure the difference is."""
    from argus_cli import options  # noqa: PLC0415 - slow to import
    from argus_cli.simulate import output, record, told  # noqa: PLC0415
    from argus_cli.simulate.comparison import compare as compared  # noqa: PLC0415
    from argus_cli.simulate.panels import comparison_board  # noqa: PLC0415
    from argus_cli.simulate.progress import bar  # noqa: PLC0415
    from argus_cli.simulate.scenario import read_outline, scenario_of  # noqa: PLC0415
    from argus_core.policies.registry import POLICIES  # noqa: PLC0415

    chosen = list(POLICIES)
    if policies is not None:
        chosen = options.names("--policies", policies, chosen)
    options.at_least("--seed", seed, 0)
    options.count("--seeds", seeds, most=MOST_SEEDS)
    processes = options.cores() if jobs is None else options.count("--jobs", jobs, most=MOST_JOBS)
    outline = read_outline(
        trace=trace, rate=rate, duration=duration, speed=speed, slo=slo, workers=workers, pool=pool,
        file=file, qualities=qualities, profile=profile, spread=spread, correlation=correlation,
        variation=variation, switch=switch or (), interval=interval, retries=retries,
    )  # fmt: skip
    folder = None if out is None else options.folder("--out", out)
    with bar("comparing") as progress, options.named({"bound": "--bound"}):
        comparison = compared(
            partial(scenario_of, outline),
            {name: POLICIES[name] for name in chosen},
            range(seed, seed + seeds),
            jobs=processes,
            told=lambda done, of: progress(done / of),
            bound=bound,
        )
    found = record.comparison_record(output.typed(), comparison)
    sheet, heading = told.comparison_sheet(comparison), told.heading(comparison.scenario)
    if as_json:
        typer.echo(record.text_of(found))
    else:
        output.show(sheet, title=heading)
        output.say(told.assumptions(outline))
    if folder is not None:
        output.write(folder, found, comparison_board(comparison, heading), sheet, names=FILES)
