"""`argus simulate`: what would happen to one policy under a load, in virtual time."""

from __future__ import annotations

from typing import Annotated

import typer

from argus_cli.simulate import flags

FILES = ("result.json", "run.png", "run.html")


def simulate(
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
    policy: Annotated[str, typer.Option(help="Who decides; `argus compare` shows all.")] = "argus",
    out: flags.Out = None,
    as_json: flags.Json = False,
) -> None:
    """Say what would happen under a load: quality, violations, latency, and who holds what."""
    from argus_cli import options  # noqa: PLC0415 - slow to import
    from argus_cli.simulate import output, record, told  # noqa: PLC0415
    from argus_cli.simulate.comparison import one  # noqa: PLC0415
    from argus_cli.simulate.panels import run_board  # noqa: PLC0415
    from argus_cli.simulate.progress import bar  # noqa: PLC0415
    from argus_cli.simulate.scenario import read_outline, scenario_of  # noqa: PLC0415
    from argus_core.policies.registry import make  # noqa: PLC0415

    decides = make(policy)
    outline = read_outline(
        trace=trace, rate=rate, duration=duration, speed=speed, slo=slo, workers=workers, pool=pool,
        file=file, qualities=qualities, profile=profile, spread=spread, correlation=correlation,
        variation=variation, switch=switch or (), interval=interval, retries=retries,
    )  # fmt: skip
    folder = None if out is None else options.folder("--out", out)
    scenario = scenario_of(outline, seed)
    with bar(f"simulating {policy}") as progress:
        run = one(scenario, policy, decides, progress=progress)
    found = record.run_record(output.typed(), scenario, run)
    sheet, heading = told.run_sheet(run), told.heading(scenario)
    if as_json:
        typer.echo(record.text_of(found))
    else:
        output.show(sheet, title=heading)
        output.say(told.assumptions(outline))
    if folder is not None:
        output.write(folder, found, run_board(run, heading), sheet, names=FILES)
