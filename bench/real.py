"""What becomes of one load in the real system, and what the simulator says will become of it.

    python bench/real.py --shares 0.5,0.9,1.2,2 --seconds 45

A whole cluster of real processes is put under a recorded trace, scaled to shares of what this
machine carries at its fastest level: as Argus serves it, at the best level alone, at the fastest
alone, and as the paper's policy would, which tells workers and requests what to do. First every
level is timed on this machine, all workers at work and the load generator beside them. Each run is
simulated twice, with the same arrivals, prompts and predictions: with the seconds timed beforehand
(*foreseen*), and with those that the router saw in the run itself (*replayed*), which leaves out
what else the machine had to do meanwhile. Quality is what each caption's pictures at each level
were measured to be worth.

Every run is written as it ends, and one that is written is not run again: the same command goes on
where it was stopped, with the seconds timed then; --fresh begins anew. Prints a table, writes JSON
and a picture.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from argus_cli.document import load_document
from argus_cli.load.figures import figures
from argus_cli.load.record import OK, Record
from argus_cli.load.sending import Line, Load, Sending
from argus_cli.local.cluster import LocalCluster
from argus_cli.simulate.ladder import levels_of
from argus_client import Order
from argus_control.mode import Mode
from argus_control.planning import Planning, order_of
from argus_core.policies.registry import make
from argus_core.simulator.engine import simulate
from argus_core.simulator.scenario import Prompts, Scenario
from argus_core.simulator.setting import prompts_of, setting_of
from argus_core.simulator.summary import summarise
from argus_core.spec import parse_cluster
from argus_core.spread import choices
from support import data, results, small
from support.known import Asked, Captions, captions, sendings
from support.loads import carried
from support.real_plot import draw
from support.steered import Steered, steering
from support.timing import Timed, looking_on, timed

RESULTS = results.FOLDER / "real.json"
TRACE = "azure_1to8.csv"
ARGUS, BEST, FASTEST, PAPER = SYSTEMS = ("argus", "best level", "fastest level", "paper")
MULTIPLE = 10.0
"""The deadline, in times of an image at the dearest level."""
SWITCH = 0.06
"""Seconds to load a variant: the mean of results/switches.json."""
WARM = 10.0
"""Seconds at the load's mean rate before it, that count for nothing."""
GOAL = 0.1
"""That figures may be off, of 1."""
_WIDE = 150
"""Letters in a line of the table."""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What all runs rest on."""

    found: Mapping[str, Any]
    """The document, with the seconds timed."""
    timed: Timed
    captions: Captions
    folder: Path
    seed: int
    seconds: float
    """That the trace is played in."""

    @property
    def ladder(self) -> list[str]:
        """The levels, from dearest to cheapest."""
        return [level["name"] for level in self.found["spec"]["ladder"]]

    @property
    def deadline(self) -> float:
        """Seconds that every request has."""
        return deadline_of(self.timed)

    def asked(self, share: float | None) -> Asked:
        """The load of a share; the same whenever it is asked for. None for one request."""
        ids, arrivals = np.array([0]), np.array([0.0])
        one = Asked(captions=self.captions, ids=ids, arrivals=arrivals, deadline=self.deadline)
        if share is None:
            return one
        rng = np.random.default_rng((self.seed, round(1000 * share)))
        trace = data.trace(data.folder() / "traces" / TRACE, "bursty", rng)
        trace = data.hastened(trace, self.seconds)
        arrivals, _ = data.arrivals(trace, rate=share * self.most, step=1.0, rng=rng)
        ids = rng.integers(0, len(self.captions.texts), len(arrivals))
        return replace(one, ids=ids, arrivals=arrivals)

    @property
    def most(self) -> float:
        """Images a second that the machine carries at its fastest level."""
        return carried(scenario_of(self.found, self.asked(None), self.timed))


def document(workers: int) -> dict[str, Any]:
    """The small family without cached starts, as free to move as the simulator has it."""
    found = small.without_starts()
    spec = found["spec"]
    spec["pools"][0]["workers"] = workers
    spec["router"] = {"maxQueued": 4096}
    for variant in spec["variants"]:
        variant["minimumWorkers"] = 0
    return found


def deadline_of(known: Timed) -> float:
    """Seconds that every request has where levels take so long."""
    return round(MULTIPLE * max(known.seconds.values()), 3)


def with_deadline(found: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """The document with the deadline that requests have: plans and prices go by it."""
    spec = found["spec"]
    return {**found, "spec": {**spec, "slo": {**spec["slo"], "deadlineSeconds": seconds}}}


def with_seconds(found: Mapping[str, Any], seconds: Mapping[str, float]) -> dict[str, Any]:
    """The document with these seconds; levels that are not named are left out."""
    spec = {**found["spec"]}
    spec["ladder"] = [
        {**level, "seconds": {"cpu": round(seconds[level["name"]], 5)}}
        for level in spec["ladder"]
        if level["name"] in seconds
    ]
    held = {level["variant"] for level in spec["ladder"]}
    spec["variants"] = [variant for variant in spec["variants"] if variant["name"] in held]
    if len(spec["ladder"]) == 1:
        spec["predictor"] = {}
    return {**found, "spec": spec}


def only(system: str, seconds: Mapping[str, float]) -> dict[str, float]:
    """The levels that a system has, dearest first, and their seconds."""
    if system == BEST:
        return dict([next(iter(seconds.items()))])
    if system == FASTEST:
        return dict([min(seconds.items(), key=lambda each: each[1])])
    return dict(seconds)


def cluster_of(found: Mapping[str, Any], folder: Path, mode: Mode) -> LocalCluster:
    """A whole cluster of a document."""
    loaded = load_document(small.written(found, folder))
    return LocalCluster(*loaded, planning=Planning(mode=mode))


def scenario_of(found: Mapping[str, Any], asked: Asked, known: Timed) -> Scenario:
    """What the simulator is told of a run."""
    spec = parse_cluster(dict(found)).spec
    levels, workers = levels_of(spec), spec.pools[0].workers
    columns = [list(known.seconds).index(level.name) for level in levels]
    truth, predicted = asked.captions.truth, asked.captions.predicted
    return Scenario(
        name="real",
        levels=levels,
        workers=("cpu",) * workers,
        deadline=asked.deadline,
        arrivals=asked.arrivals,
        prompt_of=asked.ids,
        prompts=Prompts(truth=truth[:, columns], predicted=predicted[:, columns]),
        switch_seconds=dict.fromkeys((level.variant for level in levels), SWITCH),
        variation=known.variation,
        loadouts=choices(order_of(spec), workers),
        shed_loss=spec.planning.shed_loss,
    )


async def sent(endpoint: str, asked: Asked, order: Callable[[Sending], Order]) -> list[Record]:
    """Every request at its moment, whatever becomes of the others."""
    load = Load(Line(endpoint=endpoint), sendings(asked), most=len(asked.ids), order=order)
    await load.run()
    return load.records


def warming(asked: Asked, rng: np.random.Generator) -> Asked:
    """A load of the same mean rate, to begin with."""
    rate = len(asked.ids) / float(asked.arrivals[-1])
    arrivals = np.sort(rng.uniform(0.0, WARM, max(1, round(rate * WARM))))
    return replace(asked, arrivals=arrivals, ids=rng.choice(asked.ids, len(arrivals)))


async def run(ground: Ground, system: str, share: float) -> dict[str, Any]:
    """One load as one system serves it, and as the simulator says that it does."""
    asked = ground.asked(share)
    cut = with_seconds(ground.found, only(system, ground.timed.seconds))
    mode = Mode.AUTOMATIC if system == ARGUS else Mode.OFF
    async with cluster_of(cut, ground.folder, mode) as cluster:
        endpoint, order = cluster.router["grpc"], lambda sending: sending.order
        steered = None
        if system == PAPER:
            scenario = scenario_of(cut, asked, ground.timed)
            told = make(PAPER), setting_of(scenario), cluster.addresses, prompts_of(scenario)
            steered, order = (it := Steered(*told)), it.order
        async with steering(steered) if steered else nullcontext():
            await sent(endpoint, warming(asked, np.random.default_rng(ground.seed)), order)
            async with looking_on(endpoint) as seen:
                records = await sent(endpoint, asked, order)
    inside = seen.seconds(only(system, ground.timed.seconds))
    return {
        "share": share,
        "system": system,
        "real": told_real(records, asked, ground.ladder),
        "seconds_in_run": inside,
        **told_simulated(ground, system, asked, inside),
    }


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


def told_simulated(
    ground: Ground, system: str, asked: Asked, inside: Mapping[str, float]
) -> dict[str, Any]:
    """The same of the simulator's runs.

    What serves one level is Argus's router with nothing to choose, in the real system as here.
    """
    told = {}
    known = {"foreseen": only(system, ground.timed.seconds), "replayed": inside}
    for name, seconds in known.items():
        scenario = scenario_of(with_seconds(ground.found, seconds), asked, ground.timed)
        policy = make(PAPER if system == PAPER else ARGUS)
        found = summarise(scenario, simulate(scenario, policy, clock=time.perf_counter))
        told[name] = {
            "violations": found.violations,
            "quality": found.quality,
            "p50": found.latency_p50,
            "p99": found.latency_p99,
        }
    return told


def off(row: Mapping[str, Any], against: str, figure: str) -> float | None:
    """By how much the simulator is off: of all requests for violations, of quality itself."""
    real, said = row["real"][figure], row[against][figure]
    if real is None or said is None:
        return None
    return float(said - real if figure == "violations" else said / real - 1)


async def ground_of(options: argparse.Namespace, folder: Path, kept: results.Document) -> Ground:
    """The machine timed, or as it was timed when what is kept was begun."""
    found = document(options.workers)
    levels = found["spec"]["ladder"]
    known = captions([level["name"] for level in levels])
    if kept:
        was = Timed(seconds=kept["seconds"], variation=kept["variation"])
    else:
        print("timing every level", flush=True)
        async with cluster_of(found, folder, Mode.OFF) as cluster:
            was = await timed(cluster, levels, known.texts)
    return Ground(
        found=with_deadline(with_seconds(found, was.seconds), deadline_of(was)),
        timed=was,
        captions=known,
        folder=folder,
        seed=options.seed,
        seconds=options.seconds,
    )


async def measure(options: argparse.Namespace) -> results.Document:
    """All systems at all shares, but for what is there already; written after each."""
    rests_on = {"seconds": options.seconds, "workers": options.workers, "seed": options.seed}
    kept = {} if options.fresh else results.read(options.out)
    if kept.get("parameters") != rests_on:
        kept = {}
    with tempfile.TemporaryDirectory() as name:
        ground = await ground_of(options, Path(name), kept)
        found: results.Document = {
            "question": "Does the simulator say what the real system does?",
            **results.origin(sys.argv),
            "parameters": rests_on,
            "seconds": dict(ground.timed.seconds),
            "variation": ground.timed.variation,
            "deadline": ground.deadline,
            "carried_per_second": ground.most,
            "runs": list(kept.get("runs", ())),
        }
        print(", ".join(f"{level} {took:.3f} s" for level, took in ground.timed.seconds.items()))
        print(f"so {ground.most:.1f} images a second at the fastest", flush=True)
        cells = [(share, system) for share in options.shares for system in SYSTEMS]
        there = {(row["share"], row["system"]) for row in found["runs"]}
        left = [cell for cell in cells if cell not in there]
        began = time.monotonic()
        for number, (share, system) in enumerate(left, 1):
            row = await run(ground, system, share)
            found["runs"] = sorted(
                [*found["runs"], row], key=lambda one: (one["share"], SYSTEMS.index(one["system"]))
            )
            results.write(found, options.out)
            each = (time.monotonic() - began) / number
            print(
                f"{number} of {len(left)}: {share:g} {system}: "
                f"{row['real']['violations']:.1%} violations, {row['foreseen']['violations']:.1%} "
                f"foreseen, {row['replayed']['violations']:.1%} replayed; "
                f"{each * (len(left) - number) / 60:.1f} min left",
                flush=True,
            )
    return found


def show(rows: Sequence[Mapping[str, Any]]) -> Table:
    """The table: what was, what was foreseen, and what replayed."""
    table = Table("load", "system", "requests", "violations", "quality", "p50 s", "p99 s", "levels",
                  title="real (foreseen, replayed)")  # fmt: skip
    for row in rows:
        triples = [
            f"{_told(row['real'][name], style)} "
            f"({_told(row['foreseen'][name], style)}, {_told(row['replayed'][name], style)})"
            for name, style in (
                ("violations", ".1%"), ("quality", ".3f"), ("p50", ".2f"), ("p99", ".2f"),
            )
        ]  # fmt: skip
        levels = ", ".join(f"{level} {count}" for level, count in row["real"]["levels"].items())
        requests = str(row["real"]["requests"])
        table.add_row(f"{row['share']:g}", row["system"], requests, *triples, levels)
    return table


def verdict(rows: Sequence[Mapping[str, Any]]) -> str:
    """How many figures are within the goal, and the worst."""
    told = []
    for against in ("foreseen", "replayed"):
        for figure in ("violations", "quality"):
            gaps = [g for row in rows if (g := off(row, against, figure)) is not None]
            near = sum(abs(gap) <= GOAL for gap in gaps)
            worst = max(gaps, key=abs, default=0.0)
            told.append(f"{figure} as {against}: {near} of {len(gaps)} within {GOAL:.0%}, "
                        f"the worst {worst:+.1%}")  # fmt: skip
    return "\n".join(told)


def _told(value: float | None, style: str) -> str:
    return "-" if value is None else format(value, style)


def main() -> None:
    """Measure, show, write, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    shares = lambda text: [float(part) for part in text.split(",")]  # noqa: E731
    parser.add_argument("--shares", type=shares, default=[0.5, 0.9, 1.2, 2.0])
    parser.add_argument("--seconds", type=float, default=45.0, help="that the trace is played in")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fresh", action="store_true", help="keep nothing of an earlier run")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options, console = parser.parse_args(), Console(width=_WIDE)
    found = asyncio.run(measure(options))
    console.print(show(found["runs"]))
    console.print(verdict(found["runs"]))
    picture = options.out.with_suffix(".png")
    draw(found["runs"], SYSTEMS, picture)
    console.print(f"Figures in {options.out}, drawn in {picture}")


if __name__ == "__main__":
    main()
