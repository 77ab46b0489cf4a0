"""Whether switches of loadouts lose requests or memory while clients send without pause.

    python bench/switches.py --switches 100 --clients 4 --out out/switches.json

Starts a cluster on this machine, has its workers switch between variants one after the other,
and counts what becomes of every request. Prints a table and writes the figures as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil
from rich.console import Console
from rich.progress import track
from rich.table import Table

from argus_cli.document import load_document
from argus_cli.local.cluster import LocalCluster
from argus_client import AsyncClient, Order
from argus_client.retry import Retry
from argus_client.workers import assign_and_wait
from argus_core.errors import ArgusError, DeadlineMissed

PROMPT = "two large red circles left of a blue square"
SETTLED = 10
"""Switches after which memory counts as settled: all variants have been loaded by then."""


@dataclass(kw_only=True)
class Figures:
    """What was seen. `sent` is the sum of `completed` and `failures`, or a request was lost."""

    switches: int = 0
    clients: int = 0
    sent: int = 0
    completed: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    """Requests that failed, by the error's class; `DeadlineMissed` is their own deadline."""
    messages: list[str] = field(default_factory=list)
    """Of the failures other than deadlines, at most 20."""
    switch_seconds: list[float] = field(default_factory=list)
    """From Assign until ready, running work included."""
    settled_bytes: dict[str, int] = field(default_factory=dict)
    """Resident memory of every worker once settled."""
    final_bytes: dict[str, int] = field(default_factory=dict)
    """The same after the last switch."""
    restarts: int = 0
    """Of workers; any makes the comparison of memory void."""

    @property
    def lost(self) -> int:
        """Requests that were sent and never answered."""
        return self.sent - self.completed - self.failures.total()

    @property
    def failed(self) -> int:
        """Requests that failed for another reason than their own deadline."""
        return self.failures.total() - self.failures[DeadlineMissed.__name__]

    @property
    def growth(self) -> float:
        """All workers' memory at the end over that when settled, less one."""
        return sum(self.final_bytes.values()) / sum(self.settled_bytes.values()) - 1


async def switch_under_load(
    cluster: LocalCluster,
    *,
    switches: int,
    clients: int,
    deadline: float = 60.0,
    settled: int = SETTLED,
    progress: Callable[[range], Iterator[int]] = iter,
) -> Figures:
    """Switch the workers of a ready cluster in turn while clients send; see `Figures`."""
    figures = Figures(clients=clients)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for number in range(clients):
            group.create_task(_send(cluster.router["grpc"], figures, stop, number, deadline))
        try:
            turns = _turns(cluster)
            for number in progress(range(switches)):
                worker, variant = next(turns)
                began = time.monotonic()
                await assign_and_wait(cluster.addresses[worker], [variant])
                figures.switch_seconds.append(time.monotonic() - began)
                figures.switches += 1
                if number + 1 == min(settled, switches):
                    figures.settled_bytes = resident_bytes(cluster)
        finally:
            stop.set()
    figures.final_bytes = resident_bytes(cluster)
    figures.restarts = sum(cluster.supervisor.views[name].restarts for name in cluster.workers)
    return figures


def resident_bytes(cluster: LocalCluster) -> dict[str, int]:
    """Resident memory of every worker's process, by the worker's name."""
    pids = {name: cluster.supervisor.views[name].pid for name in cluster.workers}
    return {name: psutil.Process(pid).memory_info().rss for name, pid in pids.items()}


def _turns(cluster: LocalCluster) -> Iterator[tuple[str, str]]:
    """Workers in turn, each with the variant after the one that it holds."""
    variants = list(dict.fromkeys(itertools.chain.from_iterable(cluster.workers.values())))
    holds = {name: variants.index(loadout[-1]) for name, loadout in cluster.workers.items()}
    for name in itertools.cycle(cluster.workers):
        holds[name] = (holds[name] + 1) % len(variants)
        yield name, variants[holds[name]]


async def _send(
    endpoint: str, figures: Figures, stop: asyncio.Event, number: int, deadline: float
) -> None:
    # One try: what the client's own retries would hide is what is looked for.
    async with AsyncClient(endpoint, retry=Retry(attempts=1)) as client:
        for seed in itertools.count(number * 1_000_000):
            if stop.is_set():
                return
            figures.sent += 1
            try:
                images = await client.draw(Order(prompt=PROMPT, seed=seed, deadline=deadline))
                figures.completed += len(images)
            except ArgusError as error:
                figures.failures[type(error).__name__] += 1
                if not isinstance(error, DeadlineMissed) and len(figures.messages) < 20:
                    figures.messages.append(str(error))


async def _measure(options: argparse.Namespace) -> Figures:
    async with LocalCluster(*load_document(options.file)) as cluster:
        return await switch_under_load(
            cluster,
            switches=options.switches,
            clients=options.clients,
            deadline=options.deadline,
            progress=lambda turns: iter(track(turns, description="switching")),
        )


def _table(figures: Figures) -> Table:
    table = Table("figure", "value", title="Switches under load")
    seconds = sorted(figures.switch_seconds)
    for name, value in (
        ("switches", figures.switches),
        ("clients", figures.clients),
        ("requests sent", figures.sent),
        ("completed", figures.completed),
        ("lost", figures.lost),
        ("failed by their own deadline", figures.failures[DeadlineMissed.__name__]),
        ("failed otherwise", figures.failed),
        ("seconds a switch, median", f"{statistics.median(seconds):.3f}"),
        ("seconds a switch, longest", f"{seconds[-1]:.3f}"),
        ("MiB of all workers, settled", f"{sum(figures.settled_bytes.values()) / 2**20:.1f}"),
        ("MiB of all workers, at the end", f"{sum(figures.final_bytes.values()) / 2**20:.1f}"),
        ("growth", f"{figures.growth:+.2%}"),
        ("restarts of workers", figures.restarts),
    ):
        table.add_row(name, str(value))
    return table


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-f", "--file", type=Path, help="ArgusCluster document; default: studio")
    parser.add_argument("--switches", type=int, default=100)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--deadline", type=float, default=60.0, help="seconds of each request")
    parser.add_argument("--out", type=Path, default=Path("out/switches.json"))
    options = parser.parse_args()
    figures = asyncio.run(_measure(options))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    derived = {"lost": figures.lost, "failed": figures.failed, "growth": figures.growth}
    options.out.write_text(json.dumps(asdict(figures) | derived, indent=1) + "\n")
    console = Console()
    console.print(_table(figures))
    for message in figures.messages:
        console.print(message, highlight=False)
    console.print(f"Figures in {options.out}")


if __name__ == "__main__":
    main()
