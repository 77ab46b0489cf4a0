"""What a tenant that sends fifty times its share does to others: their latencies, with and without.

    python bench/fairness.py

The router's own queues, prices and door over workers in virtual time: an image takes what the
document says, times a number around 1. Eight tenants of equal weight have an eighth of the workers
each, in seconds at the best level. Seven of them send four fifths of that, at random. The eighth
sends nothing, its share, or fifty times its share. The figures of the seven are of all of them
together, who are alike. `one for all` is the same load, all of it sent in one tenant's name.

What is promised is that a tenant's excess is its own affair: that it sends fifty times its share,
not its share, does not move the others' 99th percentile by more than a fifth. To send its
share is its right, and what others wait for that is no unfairness; so the run without it at all is
shown, and not held against. The others' requests are the same in all scenes of a seed, which are
compared seed by seed. Prints tables, writes JSON, and ends with 1 where the promise is broken.
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import random
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from heapq import heappop, heappush
from math import inf
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.table import Table

from argus_cli.document import load_document
from argus_cli.simulate.statistics import interval
from argus_core.choice import PricePolicy
from argus_core.errors import ArgusError, Exhausted
from argus_core.queue import Rank
from argus_core.spec import ArgusCluster
from argus_protos.v1 import worker_pb2
from argus_router.fleet import Worker
from argus_router.job import Job, JobState
from argus_router.request import Request, agree
from argus_router.waiting import Waiting, too_late
from support import idle

RESULTS = Path(__file__).parent / "results" / "fairness.json"
TENANTS = 8
SENDS = 0.8
"""Of its share: what a tenant sends that minds others."""
SPREAD = 0.15
"""Of the logarithm of what images take."""
NOISY, QUIET = "noisy", "quiet"
SHARE, FIFTY = "at its share", "at fifty times"
SCENES = {"away": 0.0, SHARE: 1.0, FIFTY: 50.0}
PROMISED = 0.2
"""Share by which its excess may move others' 99th percentile."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What became of one tenant's requests."""

    scene: str
    tenant: str
    sent: int
    p50: float
    """Seconds, of those drawn."""
    p99: float
    quality: float
    """Mean of those drawn."""
    refused: float
    """Share of those sent."""
    late: float


class Stage:
    """Workers in virtual time under the router's decisions."""

    def __init__(self, cluster: ArgusCluster, workers: int, *, seed: int, told_apart: bool) -> None:
        self.cluster, self.now, self._rng = cluster, 0.0, random.Random(seed)
        self._told_apart = told_apart
        self.waiting = Waiting(spec=cluster.spec, policy=PricePolicy(), clock=lambda: self.now)
        self.latencies: dict[str, list[float]] = defaultdict(list)
        self.qualities: dict[str, list[float]] = defaultdict(list)
        self.sent: dict[str, int] = defaultdict(int)
        self.refused: dict[str, int] = defaultdict(int)
        self.late: dict[str, int] = defaultdict(int)
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        variants = [variant.name for variant in cluster.spec.variants]
        self._workers = [
            idle.worker(number, variants, self.cluster, lambda: self.now)
            for number in range(workers)
        ]
        self.waiting.meet(self._workers)

    def load(self, tenant: str, rate: float, until: float) -> None:
        """Requests of a tenant come at random, so many a second."""
        at = self._rng.expovariate(rate) if rate else inf
        while at < until:
            self._at(at, lambda: self._arrive(tenant))
            at += self._rng.expovariate(rate)

    def run(self) -> None:
        """Until nothing is left to happen."""
        while self._agenda:
            self.now, _, do = heappop(self._agenda)
            do()

    # What follows is the sink of all jobs.

    def accepted(self, job: Job) -> None:
        """Nothing."""

    def progressed(self, job: Job, progress: worker_pb2.ExecuteProgress) -> None:
        """Nothing."""

    def finished(self, job: Job, result: worker_pb2.ExecuteResult) -> None:
        """It is drawn."""
        del result
        name = _owner(job)
        self.latencies[name].append(self.now - job.arrived)
        self.qualities[name].append(job.settled.quality)

    def failed(self, job: Job, error: ArgusError) -> None:
        """It is late."""
        del error
        self.late[_owner(job)] += 1

    def _at(self, when: float, do: Callable[[], None]) -> None:
        heappush(self._agenda, (when, next(self._numbers), do))

    def _arrive(self, tenant: str) -> None:
        self.sent[_group(tenant)] += 1
        number = next(self._numbers)
        request = Request(
            prompt=f"{tenant} {number}", tenant=tenant if self._told_apart else "default"
        )
        terms = agree(request, self.cluster, call_deadline=None)
        job = Job(
            request_id=str(number),
            index=0,
            terms=terms,
            seed=0,
            rank=Rank(int(terms.band), self.now + terms.deadline, number),
            arrived=self.now,
            ready=self.now,
            qualities={level.name: level.quality for level in self.cluster.spec.ladder},
            sink=self,
        )
        try:
            self.waiting.submit([job])
        except Exhausted:
            self.refused[_group(tenant)] += 1
            return
        self._at(job.deadline, self.waiting.expire)
        self._pump()

    def _pump(self) -> None:
        for worker in self._workers:
            while worker.free and (job := self.waiting.next(worker)) is not None:
                self._bind(job, worker)

    def _bind(self, job: Job, worker: Worker) -> None:
        job.state, job.began = JobState.RUNNING, self.now
        job.attempts += 1
        worker.running[job] = None
        seconds = job.settled.level.seconds[self.cluster.spec.pools[0].gpu_type]
        takes = seconds * self._rng.lognormvariate(0, SPREAD)
        self._at(self.now + takes, lambda: self._end(job, worker))

    def _end(self, job: Job, worker: Worker) -> None:
        del worker.running[job]
        self.waiting.used(job, self.now - job.began)
        self.waiting.outlook.observe(job, worker, self.now - job.began, self.now)
        if self.now <= job.deadline:
            job.state = JobState.ENDED
            self.finished(job, worker_pb2.ExecuteResult())
        else:
            self.waiting.fail(job, too_late(job))
        self._pump()


def _owner(job: Job) -> str:
    return _group(job.terms.request.prompt)


def _group(tenant: str) -> str:
    return NOISY if tenant.startswith(NOISY) else QUIET


def measure(
    cluster: ArgusCluster, scene: str, *, workers: int, seconds: float, seed: int, told_apart: bool
) -> list[Figures]:
    """Figures of the quiet tenants together, and of the noisy one."""
    pool = cluster.spec.pools[0].gpu_type
    share = workers / cluster.spec.ladder[0].seconds[pool] / TENANTS
    stage = Stage(cluster, workers, seed=seed, told_apart=told_apart)
    for number in range(TENANTS - 1):
        stage.load(f"{QUIET}-{number}", share * SENDS, seconds)
    stage.load(NOISY, share * SCENES[scene], seconds)
    stage.run()
    words = scene if told_apart else f"{scene}, one for all"
    return [_figures(stage, words, name) for name in (QUIET, NOISY) if stage.sent[name]]


def _figures(stage: Stage, scene: str, name: str) -> Figures:
    latencies = sorted(stage.latencies[name]) or [inf]
    return Figures(
        scene=scene,
        tenant=name,
        sent=stage.sent[name],
        p50=latencies[len(latencies) // 2],
        p99=latencies[int(0.99 * (len(latencies) - 1))],
        quality=fmean(stage.qualities[name] or [0.0]),
        refused=stage.refused[name] / stage.sent[name],
        late=stage.late[name] / stage.sent[name],
    )


def _table(found: list[Figures]) -> Table:
    table = Table("noisy", "tenant", "sent", "p50", "p99", "quality", "refused", "late")
    for f in found:
        table.add_row(
            f.scene, f.tenant, f"{f.sent:,}", f"{f.p50 * 1000:.0f} ms", f"{f.p99 * 1000:.0f} ms",
            f"{f.quality:.3f}", f"{f.refused:.1%}", f"{f.late:.2%}",
        )  # fmt: skip
    return table


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=120.0, help="of virtual time")
    parser.add_argument("--seeds", type=int, default=5, help="runs of what is compared")
    parser.add_argument("--machine", default=platform.processor() or platform.machine())
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    _, cluster = load_document(None)
    began = time.perf_counter()
    found = [
        figures
        for told_apart in (True, False)
        for scene in SCENES
        for figures in measure(
            cluster,
            scene,
            workers=options.workers,
            seconds=options.seconds,
            seed=1,
            told_apart=told_apart,
        )
    ]
    first = {f.scene: f.p99 for f in found if f.tenant == QUIET}
    moved = [first[FIFTY] / first[SHARE] - 1]
    for seed in range(2, options.seeds + 1):
        share, fifty = (
            measure(
                cluster,
                scene,
                workers=options.workers,
                seconds=options.seconds,
                seed=seed,
                told_apart=True,
            )[0].p99
            for scene in (SHARE, FIFTY)
        )
        moved.append(fifty / share - 1)
    middle = interval(moved)
    assert middle is not None, "there is a seed"
    kept = middle.mean <= PROMISED
    console = Console()
    console.print(_table(found))
    console.print(
        f"Others' p99 where it sends fifty times its share, against its share, by seed: "
        f"{', '.join(f'{m:+.1%}' for m in moved)}; mean {middle.mean:+.1%}, "
        f"{'within' if kept else 'beyond'} the {PROMISED:.0%} promised"
    )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    written = {
        "command": " ".join(["python", *sys.argv]),
        "machine": options.machine,
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "workers": options.workers,
        "virtual_seconds": options.seconds,
        "seconds": round(time.perf_counter() - began, 1),
        "p99_moved_by_excess": {"by_seed": moved, **asdict(middle), "promised": PROMISED},
        "figures": [asdict(f) for f in found],
    }
    options.out.write_text(json.dumps(written, indent=1) + "\n")
    console.print(f"Figures in {options.out}")
    sys.exit(not kept)


if __name__ == "__main__":
    main()
