"""What the router itself costs: latency that it adds, its processor time, its memory.

    python bench/router_overhead.py --rate 500 --seconds 300 --predictor

A real router process over workers that answer at once (`support.instant`), put under an open loop
by this process. Since nothing is drawn, a request takes what this process, the router, the
predictor, the worker and the wire take; `its own` is what the router says of itself. `--profile`
has py-spy draw a flame graph of the router meanwhile. Prints tables and writes JSON; figures of
several runs stand side by side in one file.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import psutil
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.table import Table

from argus_cli.load.figures import figures
from argus_cli.load.sending import Line, Load
from support import results, small
from support.asking import sendings
from support.front import front

RESULTS = results.FOLDER / "router_overhead.json"
WARM = 3.0
"""Seconds of load before anything is measured."""
DEADLINE = 10.0
_LOOK = 1.0


def document() -> dict[str, Any]:
    """The small family without cached starts, as if its levels took nearly nothing."""
    found = small.without_starts()
    spec = found["spec"]
    for place, level in enumerate(spec["ladder"]):
        level["seconds"] = {"cpu": 0.005 - 0.0005 * place}
    spec["pools"] = [{"name": "cpu", "workers": 2, "gpuType": "cpu", "slots": 64}]
    spec["router"] = {"maxQueued": 4096, "loggedShare": 0}
    return found


async def watched(router: psutil.Process, rows: list[dict[str, float]]) -> None:
    """Memory and processor time of the router, once a second."""
    while True:
        spent = router.cpu_times()
        rows.append({"rss_mib": router.memory_info().rss / 2**20, "cpu": spent.user + spent.system})
        await asyncio.sleep(_LOOK)


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    """One run."""
    with tempfile.TemporaryDirectory() as name:
        began = front(document(), Path(name), predictor=options.predictor)
        async with began as (router, told):
            line = Line(endpoint=told["grpc"], clients=4)
            warm = Load(
                line, sendings(min(options.rate, 50), WARM, seed=1, deadline=DEADLINE), most=10_000
            )
            await warm.run()
            if options.profile:
                _profile(router.pid, options)
            rows: list[dict[str, float]] = []
            watch = asyncio.create_task(watched(router, rows))
            load = Load(
                line,
                sendings(options.rate, options.seconds, seed=2, deadline=DEADLINE),
                most=20_000,
            )
            await load.run()
            watch.cancel()
            own = await own_milliseconds(told["http"])
    return {**_told(load, rows, options), "own_ms": own}


async def own_milliseconds(url: str) -> dict[str, float]:
    """Of the router's own time an image, as it tells it itself; see its metric."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as answer:
        families = text_string_to_metric_families(await answer.text())
    name = "argus_router_overhead_seconds"
    told = [sample for family in families if family.name == name for sample in family.samples]
    found = {sample.name.removeprefix(name): sample.value for sample in told}
    count = found["_count"]
    bounds = [(float(s.labels["le"]), s.value) for s in told if "le" in s.labels]
    within = {share: next(bound for bound, n in bounds if n >= share * count)
              for share in (0.5, 0.99)}  # fmt: skip
    return {
        "mean": 1000 * found["_sum"] / count,
        "p50_at_most": 1000 * within[0.5],
        "p99_at_most": 1000 * within[0.99],
    }


def _profile(pid: int, options: argparse.Namespace) -> None:
    spy = shutil.which("py-spy", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if spy is None:
        print("SKIPPED the flame graph: there is no py-spy (pip install py-spy)")
        return
    out = results.FOLDER / "router_overhead.svg"
    command = [spy, "record", "--output", str(out), "--pid", str(pid), "--rate", "200",
               "--duration", str(int(min(30, options.seconds)))]  # fmt: skip
    subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603


def _told(
    load: Load, rows: Sequence[dict[str, float]], options: argparse.Namespace
) -> dict[str, Any]:
    found = figures(load.records, duration=options.seconds)
    taken = [r.last - r.sent for r in load.records
             if r.code == "OK" and r.last is not None and r.sent is not None]  # fmt: skip
    each = [1000 * float(v) for v in np.quantile(taken, (0.5, 0.9, 0.99, 0.999))]
    minutes = [round(row["rss_mib"], 1) for row in rows[:: int(60 / _LOOK)]]
    return {
        "rate": options.rate,
        "seconds": options.seconds,
        "predictor": options.predictor,
        "requests": found.requests,
        "delivered": found.delivered,
        "codes": dict(found.codes),
        "added_ms": dict(zip(("p50", "p90", "p99", "p99.9"), each, strict=True)),
        "generator_late_ms_p99": 1000 * found.lag["p99"],
        "router_cpu_ms_each": 1000 * (rows[-1]["cpu"] - rows[0]["cpu"]) / found.requests,
        "router_rss_mib_by_minute": [*minutes, round(rows[-1]["rss_mib"], 1)],
        "load_average": [round(value, 1) for value in psutil.getloadavg()],
    }


def show(runs: Sequence[dict[str, Any]]) -> Table:
    """All runs."""
    table = Table("requests/s", "predictor", "delivered", "p50 ms", "p99 ms", "its own mean ms",
                  "p99 below ms", "router CPU ms each", "RSS MiB", "sent late p99 ms")  # fmt: skip
    for run in runs:
        added = run["added_ms"]
        memory = run["router_rss_mib_by_minute"]
        table.add_row(f"{run['rate']:g}", "yes" if run["predictor"] else "priors only",
                      f"{run['delivered']} of {run['requests']}", f"{added['p50']:.2f}",
                      f"{added['p99']:.2f}", f"{run['own_ms']['mean']:.2f}",
                      f"{run['own_ms']['p99_at_most']:g}",
                      f"{run['router_cpu_ms_each']:.2f}", f"{memory[0]:.0f} to {memory[-1]:.0f}",
                      f"{run['generator_late_ms_p99']:.1f}")  # fmt: skip
    return table


def main() -> None:
    """Measure, show, write beside what was measured before."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=500.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--predictor", action="store_true", help="with a real one; else priors")
    parser.add_argument("--profile", action="store_true", help="a flame graph of the router")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    run = asyncio.run(measure(options))
    before = results.read(options.out).get("runs", [])
    alike = ("rate", "predictor")
    runs = [old for old in before if any(old[key] != run[key] for key in alike)] + [run]
    runs.sort(key=lambda each: (each["predictor"], each["rate"]))
    question = "What does the router itself cost?"
    results.write({"question": question, **results.origin(sys.argv), "runs": runs}, options.out)
    Console().print(show(runs))


if __name__ == "__main__":
    main()
