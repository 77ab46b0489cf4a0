"""What becomes of one load in the real system, and what the simulator says will become of it.

    python bench/real.py --shares 0.5,0.9,1.2,2 --seconds 60

A whole cluster of real processes is put under a recorded trace, scaled to shares of what this
machine carries at its fastest level: as Argus serves it, at the best level alone, at the fastest
alone, and as the paper's policy would, which tells workers and requests what to do. First every
level is timed on this machine, beside the load generator; then each run is simulated with these
times, the same arrivals, prompts and predictions. Quality is what each caption's pictures at each
level were measured to be worth. Prints a table and writes JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from argus_cli.document import load_document
from argus_cli.load.figures import figures
from argus_cli.load.record import OK, Record
from argus_cli.load.sending import Line, Load, Sending
from argus_cli.local.cluster import LocalCluster
from argus_cli.simulate.ladder import levels_of
from argus_client import AsyncClient, Order, Picture
from argus_control.mode import Mode
from argus_control.planning import Planning
from argus_core.policies.registry import make
from argus_core.simulator.engine import simulate
from argus_core.simulator.scenario import Prompts, Scenario
from argus_core.simulator.setting import prompts_of, setting_of
from argus_core.simulator.summary import summarise
from argus_core.spec import parse_cluster
from support import data, results, small
from support.known import Asked, Captions, captions, sendings
from support.loads import carried
from support.steered import Steered, steering

RESULTS = results.FOLDER / "real.json"
TRACE = "azure_1to8.csv"
PAPER = "paper"
SYSTEMS: Mapping[str, str] = {
    "argus": "argus", "best": "clipper-ha", "fastest": "clipper-ht", PAPER: "paper",
}  # fmt: skip
"""In the real system, and the policy that the simulator plays for it."""
TIMED = 16
"""Pictures that a level is timed on."""
MULTIPLE = 10.0
"""The deadline, in times of an image at the dearest level."""
SWITCH = 0.06
"""Seconds to load a variant: the mean of results/switches.json."""
VARIATION = 0.15
"""Of a level's seconds here, about their mean: cores are shared with whoever sends."""


def document(workers: int) -> dict[str, Any]:
    """The small family without cached starts."""
    found = small.without_starts()
    found["spec"]["pools"][0]["workers"] = workers
    found["spec"]["router"] = {"maxQueued": 4096}
    return found


def alone(found: Mapping[str, Any], level: str) -> dict[str, Any]:
    """A cluster with one level and nothing else."""
    spec = {**found["spec"]}
    spec["ladder"] = [one for one in spec["ladder"] if one["name"] == level]
    spec["variants"] = [v for v in spec["variants"] if v["name"] == spec["ladder"][0]["variant"]]
    spec["predictor"] = {}
    return {**found, "spec": spec}


def cluster_of(found: Mapping[str, Any], folder: Path, mode: Mode) -> LocalCluster:
    """A whole cluster of a document."""
    loaded = load_document(small.written(found, folder))
    return LocalCluster(*loaded, planning=Planning(mode=mode))


async def timed(found: dict[str, Any], folder: Path, captions: Captions) -> dict[str, float]:
    """Seconds of an image by level, with every worker at work."""
    workers, seconds = found["spec"]["pools"][0]["workers"], {}
    for level in [one["name"] for one in found["spec"]["ladder"]]:
        async with (
            cluster_of(alone(found, level), folder, Mode.OFF) as cluster,
            AsyncClient(cluster.router["grpc"]) as client,
        ):
            await _drawn(client, captions.texts[:workers], workers)
            pictures = await _drawn(client, captions.texts[:TIMED], workers)
        seconds[level] = median(picture.timing.drawing for picture in pictures)
    return seconds


async def _drawn(client: AsyncClient, texts: Sequence[str], at_once: int) -> list[Picture]:
    places = asyncio.Semaphore(at_once)

    async def one(text: str) -> Picture:
        async with places:
            (picture,) = await client.draw(Order(prompt=text, deadline=120.0))
            return picture

    return await asyncio.gather(*map(one, texts))


async def sent(
    endpoint: str, asked: Asked, bar: Progress, order: Callable[[Sending], Order]
) -> list[Record]:
    """Every request at its moment, whatever becomes of the others."""
    task = bar.add_task("requests", total=len(asked.ids))
    load = Load(Line(endpoint=endpoint), sendings(asked), most=len(asked.ids), order=order)
    await load.run(lambda: bar.advance(task))
    bar.remove_task(task)
    return load.records


async def served(
    system: str, cluster: LocalCluster, scenario: Scenario, asked: Asked, bar: Progress
) -> list[Record]:
    """The load, as this system serves it."""
    endpoint = cluster.router["grpc"]
    if system != PAPER:
        return await sent(endpoint, asked, bar, lambda sending: sending.order)
    policy, setting = make(SYSTEMS[system]), setting_of(scenario)
    steered = Steered(policy, setting, cluster.addresses, prompts_of(scenario))
    async with steering(steered):
        return await sent(endpoint, asked, bar, steered.order)


def told_real(records: Sequence[Record], asked: Asked, ladder: Sequence[str]) -> dict[str, Any]:
    """Figures of a real run; quality by what the captions' pictures were measured to be worth."""
    found = figures(records, duration=float(asked.arrivals[-1]))
    truth = asked.captions.truth
    worth = [float(truth[r.prompt, ladder.index(r.level)]) for r in records if r.code == OK]
    return {
        "requests": found.requests,
        "violations": found.violations,
        "quality": fmean(worth) if worth else None,
        "p50": found.seconds.get("p50"),
        "p99": found.seconds.get("p99"),
        "levels": dict(found.levels),
        "errors": {code: count for code, count in found.codes.items() if code != OK},
        "generator_late_p99": found.lag.get("p99"),
    }


def told_simulated(scenario: Scenario, policy: str) -> dict[str, Any]:
    """The same of the simulator's run."""
    found = summarise(scenario, simulate(scenario, make(policy), clock=time.perf_counter))
    return {
        "violations": found.violations,
        "quality": found.quality,
        "p50": found.latency_p50,
        "p99": found.latency_p99,
    }


def scenario_of(found: Mapping[str, Any], asked: Asked) -> Scenario:
    """What the simulator is told of a run."""
    spec = parse_cluster(dict(found)).spec
    levels = levels_of(spec)
    return Scenario(
        name="real",
        levels=levels,
        workers=("cpu",) * spec.pools[0].workers,
        deadline=asked.deadline,
        arrivals=asked.arrivals,
        prompt_of=asked.ids,
        prompts=Prompts(truth=asked.captions.truth, predicted=asked.captions.predicted),
        switch_seconds=dict.fromkeys((level.variant for level in levels), SWITCH),
        variation=VARIATION,
    )


async def measure(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """All systems at all shares."""
    found = document(options.workers)
    ladder = [level["name"] for level in found["spec"]["ladder"]]
    known, rng = captions(ladder), np.random.default_rng(options.seed)
    rows: list[dict[str, Any]] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with (
        tempfile.TemporaryDirectory() as name,
        Progress(*columns, TimeRemainingColumn(), console=console) as bar,
    ):
        folder = Path(name)
        seconds = await timed(found, folder, known)
        for level in found["spec"]["ladder"]:
            level["seconds"] = {"cpu": round(seconds[level["name"]], 4)}
        deadline = MULTIPLE * seconds[ladder[0]]
        fastest = min(ladder, key=lambda level: seconds[level])
        asked = Asked(
            captions=known, ids=np.array([0]), arrivals=np.array([0.0]), deadline=deadline
        )
        most = carried(scenario_of(found, asked))
        trace = data.hastened(
            data.trace(data.folder() / "traces" / TRACE, "bursty", rng), options.seconds
        )
        for share in options.shares:
            arrivals, _ = data.arrivals(trace, rate=share * most, step=1.0, rng=rng)
            ids = rng.integers(0, len(known.texts), len(arrivals))
            asked = replace(asked, ids=ids, arrivals=arrivals)
            scenario = scenario_of(found, asked)
            for system, policy in SYSTEMS.items():
                only = {"best": ladder[0], "fastest": fastest}.get(system)
                cut = alone(found, only) if only else found
                mode = Mode.AUTOMATIC if system == "argus" else Mode.OFF
                async with cluster_of(cut, folder, mode) as cluster:
                    records = await served(system, cluster, scenario, asked, bar)
                real = told_real(records, asked, ladder)
                simulated = told_simulated(scenario, policy)
                rows.append({"share": share, "system": system, "real": real,
                             "simulated": simulated})  # fmt: skip
                console.print(f"{share:g} {system}: {real['violations']:.1%} violations, "
                              f"{simulated['violations']:.1%} simulated")  # fmt: skip
    return {"seconds": seconds, "deadline": deadline, "carried_per_second": most, "runs": rows}


def show(rows: Sequence[Mapping[str, Any]]) -> Table:
    """The table: real figures, and the simulator's behind them."""
    table = Table("load", "system", "requests", "violations", "quality", "p50 s", "p99 s", "levels",
                  title="real (simulated)")  # fmt: skip
    for row in rows:
        real, simulated = row["real"], row["simulated"]
        pairs = [
            f"{_told(real[name], style)} ({_told(simulated[name], style)})"
            for name, style in (
                ("violations", ".1%"), ("quality", ".3f"), ("p50", ".2f"), ("p99", ".2f"),
            )
        ]  # fmt: skip
        levels = ", ".join(f"{level} {count}" for level, count in real["levels"].items())
        table.add_row(f"{row['share']:g}", row["system"], str(real["requests"]), *pairs, levels)
    return table


def _told(value: float | None, style: str) -> str:
    return "-" if value is None else format(value, style)


def main() -> None:
    """Measure, show, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    shares = lambda text: [float(part) for part in text.split(",")]  # noqa: E731
    parser.add_argument("--shares", type=shares, default=[0.5, 0.9, 1.2, 2.0])
    parser.add_argument("--seconds", type=float, default=60.0, help="that the trace is played in")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options, console = parser.parse_args(), Console()
    found = asyncio.run(measure(options, console))
    console.print(show(found["runs"]))
    question = "Does the simulator say what the real system does?"
    results.write({"question": question, **results.origin(sys.argv), **found}, options.out)
    console.print(f"Figures in {options.out}")


if __name__ == "__main__":
    main()
