"""What becomes of one load in the real system, and what the simulator says will become of it.

    python bench/real.py --shares 0.5,0.9,1.2,2 --seconds 60

A whole cluster of real processes is put under a recorded trace, scaled to shares of what this
machine carries at its fastest level: as Argus serves it, at the best level alone, and at the
fastest alone. First every level is timed on this machine, beside the load generator; then each
run is simulated with these times, the same arrivals, prompts and predictions. Quality is what each
caption's pictures at each level were measured to be worth. Prints a table and writes JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
import yaml
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from argus_cli.document import load_document
from argus_cli.local.cluster import LocalCluster
from argus_cli.simulate.ladder import levels_of
from argus_client import AsyncClient, Order, Picture, Retry
from argus_control.mode import Mode
from argus_control.planning import Planning
from argus_core.errors import ArgusError
from argus_core.policies.registry import make
from argus_core.simulator.engine import simulate
from argus_core.simulator.scenario import Floats, Ints, Prompts, Scenario
from argus_core.simulator.summary import summarise
from argus_core.spec import parse_cluster
from argus_predictor import heads
from argus_predictor.encoder import Encoder
from argus_shapes import head_path
from support import data, results
from support.loads import carried

RESULTS = results.FOLDER / "real.json"
SAMPLE = Path(__file__).parents[1] / "manifests" / "samples" / "shapes-cached.yaml"
TRACE = "azure_1to8.csv"
SYSTEMS: Mapping[str, str] = {"argus": "argus", "best": "clipper-ha", "fastest": "clipper-ht"}
"""In the real system, and the policy that the simulator plays for it."""
TIMED = 16
"""Pictures that a level is timed on."""
MULTIPLE = 10.0
"""The deadline, in times of an image at the dearest level."""
SWITCH = 0.06
"""Seconds to load a variant: the mean of results/switches.json."""
VARIATION = 0.15
"""Of a level's seconds here, about their mean: cores are shared with whoever sends."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What became of a request: where it was drawn, or else its error."""

    level: str = ""
    seconds: float = 0.0
    """From when it should have been sent until its picture was there."""
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Captions:
    """What is asked for, what it is worth, and what the predictor says of it."""

    texts: Sequence[str]
    truth: Floats
    """Captions by levels, 0 to 1."""
    predicted: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Load:
    """What is asked for, and when; the same for every system."""

    captions: Captions
    ids: Ints
    """Of each request's caption."""
    arrivals: Floats
    """Seconds, rising."""
    deadline: float


def document(workers: int) -> dict[str, Any]:
    """The small family without cached starts."""
    found: dict[str, Any] = yaml.safe_load(SAMPLE.read_text())
    spec = found["spec"]
    del spec["latentStore"]
    spec["ladder"] = [level for level in spec["ladder"] if not level.get("skippedSteps")]
    spec["pools"][0]["workers"] = workers
    spec["router"] = {"maxQueued": 4096}
    return found


def alone(found: Mapping[str, Any], level: str) -> dict[str, Any]:
    """A cluster with one level and nothing else."""
    spec = {**found["spec"]}
    spec["ladder"] = [one for one in spec["ladder"] if one["name"] == level]
    spec["variants"] = [v for v in spec["variants"] if v["name"] == spec["ladder"][0]["variant"]]
    spec["predictor"] = {}
    return {**found, "spec": spec}


class Running:
    """A cluster of a document, and a client of it, for the length of a block."""

    def __init__(self, found: Mapping[str, Any], folder: Path, mode: Mode) -> None:
        file = folder / "cluster.yaml"
        file.write_text(yaml.safe_dump(dict(found), sort_keys=False))
        self._cluster = LocalCluster(*load_document(file), planning=Planning(mode=mode))

    async def __aenter__(self) -> AsyncClient:
        await self._cluster.__aenter__()
        self._client = AsyncClient(self._cluster.router["grpc"], retry=Retry(attempts=1))
        return self._client

    async def __aexit__(self, *what: object) -> None:
        await self._client.close()
        await self._cluster.__aexit__(*what)


async def timed(found: dict[str, Any], folder: Path, captions: Captions) -> dict[str, float]:
    """Seconds of an image by level, with every worker at work."""
    workers, seconds = found["spec"]["pools"][0]["workers"], {}
    for level in [one["name"] for one in found["spec"]["ladder"]]:
        async with Running(alone(found, level), folder, Mode.OFF) as client:
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


async def sent(client: AsyncClient, load: Load, bar: Progress) -> list[Answer]:
    """Every request at its moment, whatever becomes of the others."""
    task = bar.add_task("requests", total=len(load.ids))
    began = time.monotonic() + 0.5

    async def one(text: str, at: float) -> Answer:
        await asyncio.sleep(max(0.0, began + at - time.monotonic()))
        try:
            (picture,) = await client.draw(Order(prompt=text, deadline=load.deadline))
        except ArgusError as error:
            return Answer(error=error.code)
        finally:
            bar.advance(task)
        return Answer(level=picture.decision.level, seconds=time.monotonic() - began - at)

    asked = [
        (load.captions.texts[i], float(at)) for i, at in zip(load.ids, load.arrivals, strict=True)
    ]
    found = await asyncio.gather(*(one(*each) for each in asked))
    bar.remove_task(task)
    return found


def captions(ladder: Sequence[str]) -> Captions:
    """Those of the small family that were measured at every level."""
    path = results.FOLDER / "shapes_quality.csv"
    columns = [data.column(path, name) for name in ladder]
    truth = np.column_stack([column for column in columns if column is not None])
    with path.open(encoding="utf-8", newline="") as file:
        texts = [row["caption"] for row in csv.DictReader(file)]
    head = heads.load(head_path("shapes"))
    told = head.predict(texts, Encoder.load().embed(texts)).mean
    predicted = np.array(told[:, [head.levels.index(name) for name in ladder]], np.float64)
    return Captions(texts=texts, truth=truth, predicted=np.clip(predicted, 0.0, 1.0))


def told_real(answers: Sequence[Answer], load: Load, ladder: Sequence[str]) -> dict[str, Any]:
    """Figures of a real run."""
    served = [(a, i) for a, i in zip(answers, load.ids, strict=True) if a.level]
    in_time = [a for a, _ in served if a.seconds <= load.deadline]
    worth = [float(load.captions.truth[i, ladder.index(a.level)]) for a, i in served]
    seconds = [a.seconds for a, _ in served] or [float("nan")]
    return {
        "requests": len(answers),
        "violations": 1 - len(in_time) / len(answers),
        "quality": fmean(worth) if worth else None,
        "p50": float(np.quantile(seconds, 0.5)) if served else None,
        "p99": float(np.quantile(seconds, 0.99)) if served else None,
        "levels": dict(Counter(a.level for a, _ in served).most_common()),
        "errors": dict(Counter(a.error for a in answers if a.error)),
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


def scenario_of(found: Mapping[str, Any], load: Load) -> Scenario:
    """What the simulator is told of a run."""
    spec = parse_cluster(dict(found)).spec
    levels = levels_of(spec)
    return Scenario(
        name="real",
        levels=levels,
        workers=("cpu",) * spec.pools[0].workers,
        deadline=load.deadline,
        arrivals=load.arrivals,
        prompt_of=load.ids,
        prompts=Prompts(truth=load.captions.truth, predicted=load.captions.predicted),
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
        load = Load(captions=known, ids=np.array([0]), arrivals=np.array([0.0]), deadline=deadline)
        most = carried(scenario_of(found, load))
        trace = data.hastened(
            data.trace(data.folder() / "traces" / TRACE, "bursty", rng), options.seconds
        )
        for share in options.shares:
            arrivals, _ = data.arrivals(trace, rate=share * most, step=1.0, rng=rng)
            ids = rng.integers(0, len(known.texts), len(arrivals))
            load = replace(load, ids=ids, arrivals=arrivals)
            scenario = scenario_of(found, load)
            for system, policy in SYSTEMS.items():
                only = {"best": ladder[0], "fastest": fastest}.get(system)
                cut = alone(found, only) if only else found
                mode = Mode.OFF if only else Mode.AUTOMATIC
                async with Running(cut, folder, mode) as client:
                    answers = await sent(client, load, bar)
                real = told_real(answers, load, ladder)
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
