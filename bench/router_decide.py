"""How many decisions the router makes in a second, by how many images wait and workers there are.

    python bench/router_decide.py --label after

An arrival is let in, its level chosen among all, and queued; at a turn a free worker's next image
is taken out of the queue and its level chosen anew. Both look at all that waits. An event is what
the dispatcher does when a request comes while all workers are busy, and when a worker has a slot
free and takes what waits. Told in the process's own time, so that others on the machine matter
little. Prints a table and adds the figures to those of other labels, as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from argus_cli.document import load_document
from argus_core.choice import PricePolicy
from argus_core.errors import ArgusError
from argus_core.queue import Rank
from argus_core.spec import ArgusCluster, Router
from argus_protos.v1 import worker_pb2
from argus_router.dispatch import Dispatcher
from argus_router.fleet import Fleet, Worker
from argus_router.job import Job
from argus_router.request import MAX_DEADLINE, NOBODY, Request, agree
from argus_router.waiting import Waiting
from argus_rpc.roster import fixed
from support import idle

RESULTS = Path(__file__).parent / "results" / "router_decide.json"
RATE = 20.0
"""Images a second, on the clock that the router is given."""
IDLE_RATE = 500.0
"""The same where workers are free."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What was measured with so many waiting."""

    queued: int
    arrivals_per_second: float
    turns_per_second: float


@dataclass(frozen=True, kw_only=True)
class Idle:
    """What was measured with a worker free for whoever comes."""

    tenants: int
    requests_per_second: float
    """Each let in, decided, queued, taken, decided again, and learnt from."""


@dataclass(frozen=True, kw_only=True)
class Events:
    """What was measured with so many workers; microseconds of processor time."""

    workers: int
    came: float
    """A request, while all are busy and ten images wait."""
    freed: float
    """A worker, which draws the next."""
    looked: float
    """A worker that told of itself and has nothing free: only that is looked at."""


class Deaf:
    """A sink that hears nothing."""

    def accepted(self, job: Job) -> None:
        """Nothing."""

    def progressed(self, job: Job, progress: worker_pb2.ExecuteProgress) -> None:
        """Nothing."""

    def finished(self, job: Job, result: worker_pb2.ExecuteResult) -> None:
        """Nothing."""

    def failed(self, job: Job, error: ArgusError) -> None:
        """Nobody fails here: deadlines are a day away."""
        raise AssertionError(job.request_id) from error


class Stage:
    """A router's decisions over workers that are busy all the time but when they are asked."""

    def __init__(
        self, cluster: ArgusCluster, workers: int, *, busy: bool = True, rate: float = RATE
    ) -> None:
        self._gap = 1 / rate
        roomy = cluster.spec.model_copy(update={"router": Router(max_queued=1_000_000)})
        self.cluster = cluster.model_copy(update={"spec": roomy})
        self.now, self.arrivals = 0.0, 0
        self.waiting = Waiting(spec=roomy, policy=PricePolicy(), clock=lambda: self.now)
        variants = [variant.name for variant in roomy.variants]
        self.workers = [
            idle.worker(number, variants, self.cluster, lambda: self.now)
            for number in range(workers)
        ]
        self.waiting.meet(self.workers)
        for worker in self.workers if busy else ():
            self.arrive()
            if (job := self.waiting.next(worker)) is not None:
                worker.running[job] = None

    def serve(self, tenant: str) -> None:
        """A request comes while a worker is free, and is drawn."""
        self.arrive(tenant)
        worker = self.workers[self.arrivals % len(self.workers)]
        job = self.waiting.next(worker)
        assert job is not None, "it waits"
        job.began, worker.running[job] = self.now, None
        del worker.running[job]
        self.waiting.used(job, job.expected)
        self.waiting.outlook.observe(job, worker, job.expected, self.now)

    def arrive(self, tenant: str = NOBODY) -> Job:
        """A request for one image comes, a little later than the last."""
        job = self.next(tenant)
        self.waiting.submit([job])
        return job

    def next(self, tenant: str = NOBODY) -> Job:
        """The next request's image, a little later than the last."""
        self.now += self._gap
        self.arrivals += 1
        request = Request(prompt=f"circle {self.arrivals}", deadline=MAX_DEADLINE, tenant=tenant)
        terms = agree(request, self.cluster, call_deadline=None)
        return Job(
            request_id=str(self.arrivals),
            index=0,
            terms=terms,
            seed=0,
            rank=Rank(int(terms.band), self.now + terms.deadline, self.arrivals),
            arrived=self.now,
            ready=self.now,
            qualities={level.name: level.quality for level in self.cluster.spec.ladder},
            sink=Deaf(),
        )

    def turn(self) -> Job:
        """The next worker is free."""
        worker = self.workers[self.arrivals % len(self.workers)]
        job = self.waiting.next(worker)
        assert job is not None, "more than enough waits"
        return job


class Crowd(Fleet):
    """Workers that are there without a roster."""

    def __init__(self, workers: Sequence[Worker], changed: Callable[[], None]) -> None:
        super().__init__(fixed([]), clock=lambda: 0.0, changed=changed)
        self._workers = {worker.address: worker for worker in workers}


class Still(Dispatcher):
    """Its workers draw for ever what they are given."""

    def _begin(self, job: Job, worker: Worker) -> None:
        worker.warming, worker.running[job] = False, None


async def measure_events(cluster: ArgusCluster, *, workers: int, seconds: float) -> Events:
    """All workers are busy, and ten images wait when the next comes."""
    stage = Stage(cluster, workers, busy=False)
    dispatcher = Still(
        spec=stage.cluster.spec,
        policy=PricePolicy(),
        fleet=lambda changed: Crowd(stage.workers, changed),
        clock=lambda: stage.now,
    )
    dispatcher.on_fleet_change()
    while len(dispatcher.queues) < 10:
        dispatcher.submit([stage.next()])
    spent, count, ends = [0.0, 0.0, 0.0], 0, time.process_time() + seconds
    while time.process_time() < ends:
        worker, job = stage.workers[count % workers], stage.next()
        spent[0] += _timed(partial(dispatcher.submit, [job]))
        spent[2] += _timed(partial(dispatcher.fleet.freed, worker))
        worker.running.clear()
        spent[1] += _timed(partial(dispatcher.fleet.freed, worker))
        assert worker.running, "what waits is drawn"
        count += 1
    came, freed, looked = (1e6 * one / count for one in spent)
    await dispatcher.close()
    return Events(workers=workers, came=came, freed=freed, looked=looked)


def measure(cluster: ArgusCluster, *, queued: int, workers: int, seconds: float) -> Figures:
    """Arrivals and turns in turn, so that as many wait all the time."""
    stage = Stage(cluster, workers)
    while len(stage.waiting.queues) < queued:
        stage.arrive()
    arrivals, turns, count, ends = 0.0, 0.0, 0, time.process_time() + seconds
    while time.process_time() < ends:
        arrivals += _timed(stage.arrive)
        turns += _timed(stage.turn)
        count += 1
    return Figures(
        queued=queued, arrivals_per_second=count / arrivals, turns_per_second=count / turns
    )


def measure_idle(cluster: ArgusCluster, *, tenants: int, workers: int, seconds: float) -> Idle:
    """Requests one after the other, of so many tenants in turn."""
    stage = Stage(cluster, workers, busy=False, rate=IDLE_RATE)
    count, began = 0, time.process_time()
    while time.process_time() < began + seconds:
        for number in range(100):
            stage.serve(f"t{number % tenants}")
        count += 100
    return Idle(tenants=tenants, requests_per_second=count / (time.process_time() - began))


def _timed(do: Callable[[], object]) -> float:
    began = time.process_time()
    do()
    return time.process_time() - began


def _table(label: str, found: list[Figures]) -> Table:
    table = Table("queued", "arrivals/s", "turns/s", title=f"Decisions a second, {label}")
    for f in found:
        table.add_row(
            f"{f.queued:,}", f"{f.arrivals_per_second:,.0f}", f"{f.turns_per_second:,.0f}"
        )
    return table


def _crowds(label: str, found: list[Events]) -> Table:
    table = Table("workers", "a request came", "a worker was free", "none was",
                  title=f"Microseconds of processor time an event, {label}")  # fmt: skip
    for f in found:
        table.add_row(f"{f.workers:,}", f"{f.came:,.0f}", f"{f.freed:,.0f}", f"{f.looked:,.1f}")
    return table


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queued", type=int, nargs="+", default=[10, 100, 1_000, 10_000])
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--crowds", type=int, nargs="+", default=[8, 100, 1_000],
                        help="workers of which events are measured")  # fmt: skip
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--label", default="now", help="what the figures are of")
    parser.add_argument("--machine", default=platform.processor() or platform.machine())
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    _, cluster = load_document(None)
    found = [
        measure(cluster, queued=queued, workers=options.workers, seconds=options.seconds)
        for queued in options.queued
    ]
    idle = [
        measure_idle(cluster, tenants=n, workers=options.workers, seconds=options.seconds)
        for n in (1, 8)
    ]
    events = [
        asyncio.run(measure_events(cluster, workers=workers, seconds=options.seconds))
        for workers in options.crowds
    ]
    console = Console()
    console.print(_table(options.label, found))
    for figures in idle:
        console.print(f"{figures.requests_per_second:,.0f} requests/s, tenants: {figures.tenants}")
    console.print(_crowds(options.label, events))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    known = json.loads(options.out.read_text()) if options.out.exists() else {}
    known[options.label] = {
        "command": " ".join(["python", *sys.argv]),
        "machine": options.machine,
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "levels": len(cluster.spec.ladder),
        "variants": len(cluster.spec.variants),
        "workers": options.workers,
        "figures": [asdict(f) for f in found],
        "idle": [asdict(f) for f in idle],
        "events": [asdict(f) for f in events],
    }
    options.out.write_text(json.dumps(known, indent=1) + "\n")
    console.print(f"Figures in {options.out}")


if __name__ == "__main__":
    main()
