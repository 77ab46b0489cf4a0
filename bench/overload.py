"""Far more than can be drawn: how soon who is refused hears it, and whether the others are in time.

    python bench/overload.py --loads 1 5 20 --seconds 30

A real router process over workers that take as long as a model would, but need no processor, so
that there is one for the router and for this process, which sends an open loop at so many times
what the workers carry at the quickest level; with --predictor a real one is asked for each request.
Refusals are told a second time without those during which router or sender waited for a processor,
which tells the work of others apart from the router's own, though long ones are likelier to be
left out. Prints a table and writes JSON; ends with 1 where somebody was admitted and late more
often than once in a hundred times.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
from aiohttp import ClientSession
from rich.console import Console
from rich.table import Table

from argus_cli.load.figures import figures
from argus_cli.load.record import OK
from argus_cli.load.sending import Line, Load
from support import results, small
from support.asking import sendings
from support.front import front
from support.waits import Waits, Watched

RESULTS = results.FOLDER / "overload.json"
WORKERS = 4
SECONDS = 0.4
"""That an image takes, at every level."""
DEADLINE = 4.0
WARM = 5.0
"""Seconds at what the workers carry, before anything is measured."""
PROMISED = 0.99
"""Share of who is admitted that must be in time."""


def document() -> dict[str, Any]:
    """The small family without cached starts, with levels that take what the workers do."""
    found = small.without_starts()
    spec = found["spec"]
    for level in spec["ladder"]:
        level["seconds"] = {"cpu": SECONDS}
    spec["pools"] = [{"name": "cpu", "workers": WORKERS, "gpuType": "cpu"}]
    spec["slo"]["deadlineSeconds"] = DEADLINE
    return found


async def measure(load: float, options: argparse.Namespace) -> dict[str, Any]:
    """One load, in times of what the workers carry."""
    carried = WORKERS / SECONDS
    with tempfile.TemporaryDirectory() as name:
        begun = front(document(), Path(name), seconds=SECONDS, slots=1, predictor=options.predictor)
        async with begun as (router, told):
            line = Line(endpoint=told["grpc"], clients=4)
            warm = sendings(0.9 * carried, WARM, seed=1, deadline=DEADLINE)
            await Load(line, warm, most=10_000).run()
            before = router.memory_info().rss / 2**20
            asked = sendings(load * carried, options.seconds, seed=2, deadline=DEADLINE)
            waits = Waits([router.pid, os.getpid()])
            predicted = await _predictions(told["http"])
            watched, waited, worked = Watched(waits), waits.seconds(), _cpu(router)
            under = Load(line, asked, most=20_000, order=watched.order)
            await under.run(watched.follow(under))
            waited, worked = waits.seconds() - waited, _cpu(router) - worked
            predicted = await _predictions(told["http"]) - predicted
            after = router.memory_info().rss / 2**20
    found = figures(under.records, duration=options.seconds)
    alone = figures(watched.undisturbed(under.records), duration=options.seconds)
    admitted = found.requests - found.refused - found.dropped
    in_time = sum(r.code == OK and r.last - r.sent <= r.deadline for r in under.records
                  if r.last is not None and r.sent is not None)  # fmt: skip
    return {
        "load": load,
        "rate": load * carried,
        "requests": found.requests,
        "refused": found.refused,
        "codes": dict(found.codes),
        "refusal_ms": {name: 1000 * value for name, value in found.refusal_seconds.items()},
        "undisturbed": alone.refused / found.refused if found.refused else None,
        "refusal_undisturbed_ms": {n: 1000 * value for n, value in alone.refusal_seconds.items()},
        "predicted": predicted,
        "router_cpu_ms_per_request": 1000 * worked / found.requests,
        "waited_for_a_processor": waited / options.seconds,
        "admitted": admitted,
        "in_time": in_time / admitted if admitted else 1.0,
        "delivered_per_second": found.delivered / options.seconds,
        "rss_mib": [round(before, 1), round(after, 1)],
        "generator_late_ms_p99": 1000 * found.lag["p99"],
    }


def _cpu(process: psutil.Process) -> float:
    """Seconds of processor time so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


async def _predictions(http: str) -> float:
    """Prompts whose quality was told so far, by the predictor or by the priors."""
    async with ClientSession() as session, session.get(f"{http}/metrics") as response:
        told = await response.text()
    (line,) = [
        n for n in told.splitlines() if n.startswith("argus_predictor_duration_seconds_count")
    ]
    return float(line.split()[-1])


def show(runs: Sequence[dict[str, Any]]) -> Table:
    """All loads."""
    table = Table("load", "requests/s", "refused", "refusal p50 ms", "p99 ms", "undisturbed",
                  "p99 ms", "predicted", "CPU ms each", "admitted", "in time", "drawn/s", "RSS MiB",
                  caption="undisturbed: no thread of router or sender waited for a processor by "
                          "more than a millisecond meanwhile")  # fmt: skip
    for run in runs:
        told = run["refusal_ms"]
        table.add_row(f"{run['load']:g}", f"{run['rate']:.0f}",
                      f"{run['refused'] / run['requests']:.1%}", f"{told.get('p50', 0):.1f}",
                      f"{told.get('p99', 0):.1f}", f"{run['undisturbed'] or 0:.0%}",
                      f"{run['refusal_undisturbed_ms'].get('p99', 0):.1f}",
                      f"{run['predicted'] / run['requests']:.0%}",
                      f"{run['router_cpu_ms_per_request']:.2f}",
                      str(run["admitted"]), f"{run['in_time']:.2%}",
                      f"{run['delivered_per_second']:.2f}",
                      f"{run['rss_mib'][0]:.0f} to {run['rss_mib'][1]:.0f}")  # fmt: skip
    return table


def main() -> None:
    """Measure, show, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--loads", type=float, nargs="+", default=[1.0, 5.0, 20.0])
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--predictor", action="store_true", help="with a real predictor")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    runs = [asyncio.run(measure(load, options)) for load in options.loads]
    question = "Under far too much: are refusals quick, and promises kept?"
    results.write({"question": question, **results.origin(sys.argv), "runs": runs}, options.out)
    Console(width=160).print(show(runs))
    sys.exit(any(run["in_time"] < PROMISED for run in runs))


if __name__ == "__main__":
    main()
