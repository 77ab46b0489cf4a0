"""What each level could do for a job now: the candidates that the policy weighs.

Only a worker knows which sizes its variant can draw. A size that no worker has begun yet at a
variant is therefore taken to cost no more than the default one: the request reaches a worker,
which refuses it by the field's name before any work, or begins it and so proves the size.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from statistics import fmean

from argus_core.choice import Candidate
from argus_core.estimate import ServiceTimes, pixel_scale, start_after
from argus_core.queue import Queues
from argus_core.spec import ClusterSpec, Level
from argus_router.fleet import Worker
from argus_router.job import Job

_MOST_SIZES = 1024
"""Pairs of variant and size that are remembered as proven."""
_OVERRUN = 0.1
"""Of its expected seconds: what an image that overruns them is taken to need still."""


class Outlook:
    """Weighs levels against what runs and waits; learns from what was drawn."""

    def __init__(self, spec: ClusterSpec) -> None:
        self._spec = spec
        self._times = ServiceTimes(spec.ladder)
        self._proven: OrderedDict[tuple[str, int, int], None] = OrderedDict()
        self._gpu_types = {pool.name: pool.gpu_type for pool in spec.pools}

    def candidates(
        self, job: Job, workers: Iterable[Worker], queues: Queues[Job], now: float
    ) -> list[Candidate]:
        """Every level of the ladder, as it stands for `job`, from dearest to cheapest."""
        ready = [worker for worker in workers if worker.ready]
        waits = {
            variant.name: self._wait(variant.name, job, ready, queues, now)
            for variant in self._spec.variants
        }
        return [self._candidate(level, job, ready, waits[level.variant], now)
                for level in self._spec.ladder]  # fmt: skip

    def began(self, job: Job) -> None:
        """Learn that a worker has begun a job: its variant can draw its size."""
        self._proven[_sized(job.settled.level, job)] = None
        if len(self._proven) > _MOST_SIZES:
            self._proven.popitem(last=False)

    def observe(self, job: Job, worker: Worker, seconds: float, now: float) -> None:
        """Learn what a job took on a worker, from hand-over to result."""
        scale = pixel_scale(job.terms.size, self._spec.default_size)
        self._times.observe(job.settled.level.name, self._gpu(worker), seconds / scale, now)

    def _candidate(
        self, level: Level, job: Job, ready: Sequence[Worker], wait: float | None, now: float
    ) -> Candidate:
        gpus = [self._gpu(w) for w in ready if level.variant in w.loadout] or list(level.seconds)
        scale = pixel_scale(job.terms.size, self._spec.default_size)
        if _sized(level, job) not in self._proven:
            scale = min(scale, 1.0)
        return Candidate(
            level=level,
            quality=job.qualities.get(level.name, level.quality),
            wait=wait,
            # Late binding: any holder may draw it, so what to expect is their mean.
            seconds=scale * fmean(self._times.expect(level.name, gpu, now) for gpu in gpus),
            fresh=any(self._times.fresh(level.name, gpu, now) for gpu in gpus),
        )

    def _wait(
        self, variant: str, job: Job, ready: Sequence[Worker], queues: Queues[Job], now: float
    ) -> float | None:
        holders = [worker for worker in ready if variant in worker.loadout]
        if not holders:
            return None
        free_in = [free for worker in holders for free in self._free_in(worker, now)]
        ahead = sum(
            queues.queue(other).work_ahead(job.rank) * _share(other, holders, ready)
            for other in queues.variants()
        )
        return start_after(free_in, ahead)

    def _free_in(self, worker: Worker, now: float) -> list[float]:
        """For each slot, seconds until it is free."""
        left = [self._left(job, now) for job in worker.running][: worker.slots]
        return left + [0.0] * (worker.slots - len(left))

    @staticmethod
    def _left(job: Job, now: float) -> float:
        expected = job.settled.seconds
        return max(job.began + expected - now, _OVERRUN * expected)

    def _gpu(self, worker: Worker) -> str:
        pool = worker.state.pool if worker.state else ""
        return self._gpu_types.get(pool, "")


def _sized(level: Level, job: Job) -> tuple[str, int, int]:
    return level.variant, job.terms.size.width, job.terms.size.height


def _share(other: str, holders: Sequence[Worker], ready: Sequence[Worker]) -> float:
    """Of the work that waits for `other`: how much will fall on `holders`."""
    theirs = [worker for worker in ready if other in worker.loadout]
    if not theirs:
        return 0.0
    return sum(worker in holders for worker in theirs) / len(theirs)
