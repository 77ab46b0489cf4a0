"""Whether, when something breaks under a real Prometheus, the right alert comes, alone, and goes.

    python bench/alarms.py --quiet 60

A whole cluster of real processes with its latents in a real Redis, watched by a Prometheus with
Argus's rules at twenty times their pace: an hour of theirs is three minutes. (Much faster, and a
worker's 25 seconds of silence, which are no rule's and real ones, outlast what waits for ten
minutes.) First a quiet time under load, in which nothing may fire; then one fault after the other,
each mended once its alert is there. Prints a table and writes JSON, in which the faults of other
runs are kept; ends with 1 where any alert was missing, late, or amiss.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from argus_alerts.rule import Pace
from argus_cli.document import load_document
from argus_cli.local.cluster import PREDICTOR, ROUTER, LocalCluster
from argus_client import Order
from argus_control.mode import Mode
from argus_control.planning import Planning
from support import breaking, results
from support.alarms import FalseAlarm, Watch, asked, watched
from support.redis import RedisServer, redis_server

RESULTS = results.FOLDER / "alarms.json"
INTERVAL = 0.5
"""Seconds between scrapes."""
WITHIN = 150.0
"""Seconds in which an alert must come, and go: their windows, and a worker's silence of 25."""
DOCUMENT, BESIDE = "cluster.yaml", "beside.json"
"""In the run's folder; the latter are targets beside the cluster's own."""
LONG = Order(prompt="a large red circle", level="long", deadline=300.0)
"""A thousand steps: some twenty seconds of a core."""
PROMPTS = [f"a {size} {colour} circle" for size in ("small", "large") for colour in ("red", "blue")]


RATE = 4.0
"""Images a second that are asked for beside most faults."""


@dataclass(frozen=True)
class Fault:
    """Something that is broken for as long as its block lasts."""

    what: str
    alert: str
    block: breaking.Block
    rate: float = RATE
    """Images a second that are asked for meanwhile; 0 where nobody shall notice."""


def document(url: str) -> dict[str, Any]:
    """Two variants of the smallest model, and levels that a fault can ask for by name."""

    def level(name: str, variant: str, quality: float, **more: Any) -> dict[str, Any]:
        whole = {"steps": 8, "guidanceScale": 2.0, "seconds": {"cpu": 0.16}, **more}
        return {"name": name, "variant": variant, "quality": quality, **whole}

    return {
        "apiVersion": "argus.dev/v1alpha1",
        "kind": "ArgusCluster",
        "metadata": {"name": breaking.NAME},
        "spec": {
            "slo": {"deadlineSeconds": 60, "goodQuality": 0.5},
            "defaultSize": {"width": 48, "height": 48},
            "pools": [{"name": "cpu", "workers": 2}],
            "variants": [
                {"name": name, "model": "builtin:shapes-tiny", "family": "shapes"}
                for name in ("first", "second")
            ],
            "ladder": [
                level("full", "first", 1.0),
                level("started", "first", 0.98, skippedSteps=4, seconds={"cpu": 0.08}),
                level("other", "second", 0.9),
                level("long", "first", 0.2, steps=1000, seconds={"cpu": 40}),
                level("poor", "second", 0.1, seconds={"cpu": 0.15}),
            ],
            "latentStore": {"url": url},
        },
    }


def faults(cluster: LocalCluster, store: RedisServer, folder: Path) -> list[Fault]:
    """Everything that breaks, in this order."""
    address = cluster.router["grpc"]
    return [
        Fault("the predictor hangs", "ArgusPredictorFallback", breaking.hangs(cluster, PREDICTOR)),
        Fault("the router hangs", "ArgusTargetAbsent", breaking.hangs(cluster, ROUTER), 0),
        Fault(
            "workers are moved to and fro",
            "ArgusPlanThrashing",
            partial(breaking.moved, cluster),
            0,
        ),
        Fault(
            "much more is asked for than carried",
            "ArgusLatencyBudgetBurn",
            partial(asked, address, rate=80.0, prompts=PROMPTS, level="full", deadline=1.0),
            0,
        ),
        Fault(
            "a poor level is asked for",
            "ArgusQualityBudgetBurn",
            partial(asked, address, rate=RATE, prompts=PROMPTS, level="poor", deadline=30.0),
            0,
        ),
        Fault(
            "one of two workers hangs", "ArgusWorkerUnhealthy", breaking.hangs(cluster, "cpu-1"), 0
        ),
        Fault(
            "all workers hang", "ArgusNoReadyWorkers", breaking.hangs(cluster, "cpu-0", "cpu-1"), 0
        ),
        Fault(
            "a worker hangs while it ends its work before a switch",
            "ArgusSwitchStuck",
            partial(breaking.stalled, cluster, LONG, "second"),
            0,
        ),
        Fault(
            "the control loop has a wrong address of the router",
            "ArgusMetricsStale",
            partial(breaking.misled, cluster),
        ),
        Fault(
            "a second router is started that nobody tells plans",
            "ArgusPlanStale",
            partial(breaking.beside, cluster, folder / DOCUMENT, folder / BESIDE),
        ),
        Fault("the latent store is down", "ArgusLatentStoreDown", partial(breaking.gone, store)),
    ]


async def tried(fault: Fault, watch: Watch, address: str) -> dict[str, Any]:
    """What came of one fault."""
    found: dict[str, Any] = {"fault": fault.what, "alert": fault.alert}
    try:
        async with AsyncExitStack() as stack:
            if fault.rate:
                load = asked(address, rate=fault.rate, prompts=PROMPTS, deadline=30.0)
                await stack.enter_async_context(load)
            async with fault.block():
                fired, described = await watch.only(fault.alert, within=WITHIN)
                found |= {"fired_after": round(fired, 1), "described": described}
            found["silent_after"] = round(await watch.over(fault.alert, within=WITHIN), 1)
    except (AssertionError, ExceptionGroup) as error:
        inner = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
        if not isinstance(inner, AssertionError):
            raise
        found["wrong"] = str(inner)
        async with asked(address, rate=RATE, prompts=PROMPTS, deadline=30.0):
            await _calm(watch)
    return found


async def _calm(watch: Watch) -> None:
    """Wait until the next fault may begin, whatever fires now, or is about to."""
    async with asyncio.timeout(2 * WITHIN):
        while await watch.firing() or await watch.prometheus.alerts("pending"):  # noqa: ASYNC110 - Prometheus has no event
            await asyncio.sleep(1.0)


async def measure(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """All of it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with AsyncExitStack() as stack:
            store = await stack.enter_async_context(redis_server(folder))
            file = folder / DOCUMENT
            file.write_text(yaml.safe_dump(document(store.url)))
            planning = Planning(mode=Mode.AUTOMATIC, interval=1.0)
            cluster = await stack.enter_async_context(
                LocalCluster(*load_document(file), planning=planning)
            )
            watch = await stack.enter_async_context(
                watched(
                    folder,
                    cluster,
                    pace=Pace(scale=1 / options.pace, shortest=4.0),
                    interval=INTERVAL,
                    also=[folder / BESIDE],
                )
            )
            false: str | None = None
            async with asked(
                cluster.router["grpc"], rate=4.0, prompts=PROMPTS, deadline=30.0
            ) as ended:
                try:
                    await watch.silence(options.quiet)
                except FalseAlarm as error:
                    false = str(error)
            console.print(
                f"{options.quiet:g} quiet seconds, {len(ended)} images: {false or 'silent'}"
            )
            quiet = {"pace": options.pace, "seconds": options.quiet, "images": len(ended)}
            found: dict[str, Any] = {
                "quiet": {**quiet, "false_alarm": false},
                "faults": _kept(options),
            }
            for fault in faults(cluster, store, folder):
                if options.only and fault.alert not in options.only:
                    continue
                row = await tried(fault, watch, cluster.router["grpc"])
                console.print(row)
                found["faults"].append({**row, "pace": options.pace})
                _write(found, options.out)
    return found


def _kept(options: argparse.Namespace) -> list[dict[str, Any]]:
    """What other runs found of faults that this one does not try."""
    rows: list[dict[str, Any]] = results.read(options.out).get("faults", [])
    return [row for row in rows if options.only and row["alert"] not in options.only]


def _write(found: dict[str, Any], out: Path) -> None:
    question = "Does the right alert come, it alone, and go again?"
    results.write({"question": question, **results.origin(sys.argv), **found}, out)


def shown(found: list[dict[str, Any]]) -> Table:
    """A row a fault."""
    table = Table("fault", "alert, and no other", "came after", "went after")
    for row in found:
        if "wrong" in row:
            table.add_row(row["fault"], row["alert"], row["wrong"], "")
        else:
            table.add_row(
                row["fault"], row["alert"], f"{row['fired_after']} s", f"{row['silent_after']} s"
            )
    return table


def main() -> None:
    """Break, show, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quiet", type=float, default=60.0, help="seconds without a fault")
    parser.add_argument("--pace", type=float, default=20.0, help="times the rules' own")
    parser.add_argument("--only", nargs="*", help="alerts to try; all without it")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options, console = parser.parse_args(), Console()
    found = asyncio.run(measure(options, console))
    console.print(shown(found["faults"]))
    wrong = found["quiet"]["false_alarm"] or any("wrong" in row for row in found["faults"])
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
