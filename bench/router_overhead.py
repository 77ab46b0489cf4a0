"""What the router itself costs: processor time, latency that it adds, its memory.

    python bench/router_overhead.py --rates 100,250,500 --minutes 5 --profile

A real router over workers that answer at once (`support.instant`), pressed in an open loop by a
process of its own (`support.press`), with a real predictor, and with priors only. Beside it a bare
relay of the same calls (`support.relay`): what gRPC alone takes. Since nothing is drawn, a request
takes what generator, router, predictor, workers and the wire take, all on this machine; what each
of these processes spends on it is told for each. `--profile` has py-spy look at the router: a flame
graph, and shares by what the time goes into. Prints tables, writes JSON and a chart; runs of other
rates stay in the file.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.table import Table

from argus_rpc.meanwhile import under_way
from support import costs, results, small
from support.front import RELAY, ROUTER, front
from support.process import ended

NAME = "router_overhead"
RESULTS = results.FOLDER / f"{NAME}.json"
GOAL = {"rate": 500, "cores": 2, "p50_ms": 1.5, "p99_ms": 5.0}
WARM = 4.0
"""Seconds of load before anything is measured."""
DEADLINE = 10.0
SATURATED = 0.98
"""Of what is sent: where less comes back within the time of the load, that is too much."""
_LOOK = 1.0
_SERVICES = {
    ROUTER: "router",
    RELAY: "router",
    "argus_predictor": "predictor",
    "support.instant": "workers",
    "support.press": "generators",
}
"""Modules, and what their processes are called here."""

Run = dict[str, Any]


def document() -> dict[str, Any]:
    """The small family without cached starts, as if its levels took nearly nothing."""
    found = small.without_starts()
    spec = found["spec"]
    for place, level in enumerate(spec["ladder"]):
        level["seconds"] = {"cpu": 0.005 - 0.0005 * place}
    spec["pools"] = [{"name": "cpu", "workers": 2, "gpuType": "cpu", "slots": 64}]
    spec["router"] = {"maxQueued": 4096, "loggedShare": 0}
    return found


def processes() -> dict[int, str]:
    """Services that this process has begun, by their numbers."""
    found = {}
    for child in psutil.Process().children():
        line = child.cmdline()
        module = line[line.index("-m") + 1] if "-m" in line else ""
        if module in _SERVICES:
            found[child.pid] = _SERVICES[module]
    return found


class Watch:
    """Processor seconds by service, and the router's memory, while a load lasts."""

    def __init__(self) -> None:
        self._spent: dict[tuple[int, str], float] = {}
        self.memory: list[float] = []
        """Of the router, in MiB, once a second."""
        self._look()
        self._before = dict(self._spent)

    async def keep(self) -> None:
        """Look once a second; for ever. What ends in between is missed by its last second."""
        while True:
            await asyncio.sleep(_LOOK)
            self._look()

    def seconds(self) -> dict[str, float]:
        """Since it was made."""
        self._look()
        found: dict[str, float] = {}
        for key, spent in self._spent.items():
            found[key[1]] = found.get(key[1], 0.0) + spent - self._before.get(key, 0.0)
        return found

    def _look(self) -> None:
        for pid, service in processes().items():
            try:
                process = psutil.Process(pid)
                spent = process.cpu_times()
                if service == "router":
                    self.memory.append(process.memory_info().rss / 2**20)
            except psutil.Error:
                continue
            self._spent[pid, service] = spent.user + spent.system


async def press(options: argparse.Namespace, endpoint: str, rate: float, seconds: float) -> Run:
    """One load, by as many generators as there shall be; what they told, together."""
    share = rate / options.generators
    told = await asyncio.gather(
        *(
            ended("support.press", "--endpoint", endpoint, "--rate", share, "--seconds", seconds,
                  "--deadline", DEADLINE, "--seed", seed)
            for seed in range(options.generators)
        )
    )  # fmt: skip
    return costs.together(told)


async def measure(options: argparse.Namespace, what: str, *, predictor: bool) -> list[Run]:
    """All rates over one router, or relay."""
    found = []
    with tempfile.TemporaryDirectory() as name:
        begun = front(document(), Path(name), predictor=predictor, module=what)
        async with begun as (router, told):
            await press(options, told["grpc"], min(50.0, *options.rates), WARM)
            for rate in options.rates:
                seconds, watch = 60 * options.minutes, Watch()
                before = await own(told)
                async with under_way(watch.keep()):
                    load = await press(options, told["grpc"], rate, seconds)
                spent = watch.seconds() | {"generators": load["cpu_seconds"]}
                run = _run(load, spent, watch.memory, rate=rate, seconds=seconds)
                run |= {
                    "what": what,
                    "predictor": predictor,
                    "own_ms": _own(before, await own(told)),
                }
                found.append(run)
                Console(width=150).print(show([run]))
            if options.profile and what == ROUTER and predictor == (not options.priors):
                await profile(router.pid, options, told["grpc"])
    return found


def _run(
    load: Run, spent: Mapping[str, float], memory: Sequence[float], *, rate: float, seconds: float
) -> Run:
    requests = sum(load["codes"].values())
    fine = load["codes"].get("OK", 0)
    each = {service: 1000 * value / requests for service, value in spent.items()}
    return {
        "rate": rate,
        "seconds": seconds,
        "requests": requests,
        "codes": load["codes"],
        "messages_each": load["answers"] / requests,
        "answered_per_second": fine / load["seconds"],
        "saturated": fine < SATURATED * requests or load["seconds"] > seconds / SATURATED + 0.1,
        "added_ms": load["taken_ms"],
        "from_due_ms": load["latency_ms"],
        "generator_late_ms": load["late_ms"],
        "cpu_ms_each": each,
        "cpu_ms_all": sum(each.values()),
        "memory_mib": [memory[0], memory[-1]] if memory else [],
        "load_average": [round(value, 1) for value in psutil.getloadavg()],
        "at": time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime()),
    }


async def own(told: Mapping[str, str]) -> tuple[float, float] | None:
    """Seconds of the router's own and images, as its metric has them; None of a relay."""
    if not told.get("http"):
        return None
    async with aiohttp.ClientSession() as session, session.get(f"{told['http']}/metrics") as answer:
        families = text_string_to_metric_families(await answer.text())
        name = "argus_router_overhead_seconds"
        found = {s.name: s.value for f in families if f.name == name for s in f.samples}
    return found[f"{name}_sum"], found[f"{name}_count"]


def _own(before: tuple[float, float] | None, after: tuple[float, float] | None) -> float | None:
    if before is None or after is None or after[1] == before[1]:
        return None
    return 1000 * (after[0] - before[0]) / (after[1] - before[1])


async def profile(pid: int, options: argparse.Namespace, endpoint: str) -> None:
    """A flame graph of the router under the middle rate, and shares by what its time goes into."""
    seconds, rate = min(30.0, 60 * options.minutes), options.rates[len(options.rates) // 2]
    folder = options.pictures
    with tempfile.TemporaryDirectory() as name:
        folded = Path(name) / "folded"
        for kind, out in (("flamegraph", folder / f"{NAME}.svg"), ("raw", folded)):
            load = asyncio.create_task(press(options, endpoint, rate, seconds + 2))
            await costs.spy(pid, out, kind=kind, seconds=seconds)
            await load
        shares = costs.shares(folded.read_text("utf-8").splitlines())
    found = results.read(options.out)
    found["where"] = {"rate": rate, "seconds": seconds, "shares": shares}
    results.write(found, options.out)


def show(runs: Sequence[Run]) -> Table:
    """Runs, a line each."""
    table = Table("what", "predictor", "rate", "OK", "p50 ms", "p99 ms", "router CPU ms",
                  "predictor", "workers", "generators", "all", "RSS MiB", "load")  # fmt: skip
    for run in runs:
        added, each = run["added_ms"], run["cpu_ms_each"]
        cpu = [f"{each.get(service, 0.0):.2f}"
               for service in ("router", "predictor", "workers", "generators")]  # fmt: skip
        table.add_row(
            "relay" if run["what"] == RELAY else "router",
            "yes" if run["predictor"] else "priors",
            f"{run['rate']:g}{' (too much)' if run['saturated'] else ''}",
            f"{run['codes'].get('OK', 0)} of {run['requests']}",
            f"{added.get('p50', 0):.2f}",
            f"{added.get('p99', 0):.2f}",
            *cpu,
            f"{run['cpu_ms_all']:.2f}",
            " to ".join(f"{value:.0f}" for value in run["memory_mib"]),
            f"{run['load_average'][0]:g}",
        )
    return table


def merged(old: Sequence[Run], new: Sequence[Run]) -> list[Run]:
    """All runs; of those alike the new."""

    def alike(run: Run) -> tuple[Any, ...]:
        return run["what"] == RELAY, not run["predictor"], run["rate"]

    return [run for _, run in sorted({alike(run): run for run in (*old, *new)}.items())]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--rates", type=_rates, default=(500.0,), help="requests a second, with commas")
    add("--minutes", type=float, default=5.0, help="of each rate")
    add("--generators", type=int, default=1, help="processes that press")
    add("--priors", action="store_true", help="with priors only; else with a predictor only")
    add("--both", action="store_true", help="with priors, and with a predictor")
    add("--relay", action="store_true", help="the bare relay too")
    add("--profile", action="store_true", help="a flame graph of the router, by py-spy")
    add("--note", default="", help="of the machine, for the file")
    add("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    is_ours = options.out == RESULTS
    options.pictures = results.FOLDER.parents[1] / "docs" if is_ours else options.out.parent
    return options


def _rates(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(","))


def main() -> None:
    """Measure, show, write beside what was measured before."""
    options = _options()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    for what in (ROUTER, RELAY) if options.relay else (ROUTER,):
        for predictor in (True, False) if options.both else (not options.priors,):
            runs = asyncio.run(measure(options, what, predictor=predictor))
            found = results.read(options.out)
            found |= {
                "question": "What does the router itself cost?",
                **results.origin(sys.argv),
                "note": options.note,
                "goal": GOAL,
                "runs": merged(found.get("runs", []), runs),
            }
            results.write(found, options.out)
    costs.chart(
        found["runs"], options.pictures / f"{NAME}.png", goal=GOAL, cores=os.cpu_count() or 1
    )
    Console(width=150).print(show(found["runs"]))
    if shares := found.get("where", {}).get("shares"):
        Console().print(json.dumps(shares, indent=1))


if __name__ == "__main__":
    main()
