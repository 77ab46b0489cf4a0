"""What is known of the workers and of how long levels take, from one look at them to the next.

Only a worker knows which sizes its variant can draw. A size that no worker has begun yet at a
variant is therefore taken to cost no more than the default one: the request reaches a worker,
which refuses it by the field's name before any work, or begins it and so proves the size.

What images take is reckoned once for many looks: when something was learnt, when the workers have
changed, and every second, as what was learnt is forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from math import inf
from statistics import fmean

from argus_core.demand import ALONE, Shares
from argus_core.estimate import ServiceTimes, pixel_scale
from argus_core.queue import NONE, Entry, Queues
from argus_core.spec import ClusterSpec, Level
from argus_router.company import Company
from argus_router.crew import Member, crew_of
from argus_router.fetches import Fetches
from argus_router.fleet import Worker
from argus_router.job import Job
from argus_router.prices import Prices
from argus_router.view import Known, Times, View
from argus_router.worked import Worked

_MOST_SIZES = 1024
"""Pairs of variant and size that are remembered as proven."""
_LEARNT = 0.1
"""Seconds after which it is where something was learnt: not for each of hundreds a second."""
_RECKONED = 1.0
"""Seconds after which what images take is reckoned anew whatever has changed."""


class Outlook:
    """Weighs levels against what runs and waits; learns from what was drawn."""

    def __init__(self, spec: ClusterSpec, fetches: Fetches | None = None) -> None:
        self._spec = spec
        self.fetches = fetches or Fetches()
        self._variants = [variant.name for variant in spec.variants]
        self._index = {level.name: index for index, level in enumerate(spec.ladder)}
        self.company = Company(spec)
        # Of full batches: whoever draws a level must expect company.
        self._times = ServiceTimes(
            level.model_copy(update={"seconds": self.company.full(level)}) for level in spec.ladder
        )
        self.worked = Worked()
        """What was drawn so far."""
        self._proven: OrderedDict[tuple[str, int, int], None] = OrderedDict()
        self._gpu_types = {pool.name: pool.gpu_type for pool in spec.pools}
        self.prices = Prices(spec)
        self.crew = crew_of(self._variants, ())
        self._known = self._reckon(0.0)
        self._reckoned_at = -inf
        self._learnt = False

    def meet(self, workers: Iterable[Worker], queues: Queues[Job]) -> None:
        """The workers are these now."""
        workers = list(workers)
        for worker in workers:
            worker.most = self.company.most(worker.loadout, self.gpu_type(worker))
        members = [
            Member(worker, worker.loadout, worker.slots, self.gpu_type(worker))
            for worker in workers
            if worker.ready
        ]
        if members != self.crew.members:
            self.crew, self._reckoned_at = crew_of(self._variants, members), -inf
            queues.hasten(self.quickest)

    def look(self, queues: Queues[Job], now: float, shares: Shares = ALONE) -> View:
        """The workers and queues as they are now."""
        age = now - self._reckoned_at
        if age > _RECKONED or (self._learnt and age > _LEARNT):
            self._known, self._reckoned_at, self._learnt = self._reckon(now), now, False
            queues.weigh(self._known.mean.seconds)
        return View(self._known, queues, now, shares)

    def index(self, level: Level) -> int:
        """Of a level, in the ladder."""
        return self._index[level.name]

    def seconds(self, entry: Entry[Job]) -> float:
        """Expected, of an entry at the level that it waits at."""
        level = entry.level
        return 0.0 if level == NONE else entry.scale * self._known.mean.seconds[level]

    def quickest(self, variant: str, job: Job) -> int:
        """Index of the quickest level open to a job with all who hold a variant."""
        common, seconds = self.crew.common.get(variant, ()), self._known.mean.seconds
        able = [job.quickest[v] for v in common if v in job.quickest]
        return min(able, key=lambda index: seconds[index], default=NONE)

    def gpu_type(self, worker: Worker) -> str:
        """A worker's GPU type; empty where its pool is not known."""
        return self._gpu_types.get(worker.state.pool if worker.state else "", "")

    def scale(self, job: Job, variant: str) -> float:
        """How many times the default size's seconds a job takes with a variant."""
        scale = pixel_scale(job.terms.size, self._spec.default_size)
        return scale if scale <= 1 or _sized(variant, job) in self._proven else 1.0

    def longest(self, job: Job, worker: Worker) -> float:
        """Seconds that a job may well take on a worker at its level, whatever its size."""
        times = self._known.by_gpu_type[self.gpu_type(worker)]
        scale = pixel_scale(job.terms.size, self._spec.default_size)
        return scale * times.longest[self._index[job.settled.level.name]]

    def began(self, job: Job) -> None:
        """Learn that a worker has begun a job: its variant can draw its size."""
        self._proven[_sized(job.settled.level.variant, job)] = None
        if len(self._proven) > _MOST_SIZES:
            self._proven.popitem(last=False)

    def observe(
        self, job: Job, worker: Worker, seconds: float, now: float, *, had: float | None = None
    ) -> None:
        """Learn what a job took on a worker, from hand-over to result.

        `had` is what it had of the worker's seconds; all of them where it is not told.
        """
        scale = pixel_scale(job.terms.size, self._spec.default_size)
        own = (seconds - job.fetched) / scale
        level, gpu_type = job.settled.level.name, self.gpu_type(worker)
        counts_for = self._times.observe(level, gpu_type, own, now)
        if counts_for:
            self.worked.add(level, gpu_type, counts_for * (1.0 if had is None else had / seconds))
        self._learnt = True

    def expected(self, now: float) -> Iterator[tuple[Level, str, float | None]]:
        """By level and GPU type: seconds of an image by what was drawn; None where nothing was."""
        for level in self._spec.ladder:
            for gpu, full in self.company.full(level).items():
                told = self._times.told(level.name, gpu, now)
                alone = level.seconds[gpu] * told.seconds / full
                yield level, gpu, alone if told.fresh else None

    def fetched(self, seconds: float, *, found: bool, now: float) -> None:
        """Learn that a start was fetched in so many seconds, or given up after them."""
        self.fetches.heard(seconds, found=found, now=now)
        self._reckoned_at = -inf

    def _reckon(self, now: float) -> Known:
        fetch = self.fetches.cost(now)
        extra = [fetch if level.skipped_steps else 0.0 for level in self._spec.ladder]

        def times(gpu_type: str) -> Times:
            told = [self._times.told(level.name, gpu_type, now) for level in self._spec.ladder]
            return Times(
                seconds=[t.seconds + f for t, f in zip(told, extra, strict=True)],
                longest=[t.longest + f for t, f in zip(told, extra, strict=True)],
                fresh=[t.fresh for t in told],
            )

        by_gpu_type = _WhereAsked(times)
        return Known(
            ladder=self._spec.ladder,
            crew=self.crew,
            mean=self._mean(by_gpu_type),
            by_gpu_type=by_gpu_type,
            gpu_type=self.gpu_type,
            scale=self.scale,
            prices=self.prices.of,
            places=self._spec.router.max_queued,
            deadline=self._spec.slo.deadline_seconds,
            starts_closed=self.fetches.closed,
        )

    def _mean(self, by_gpu_type: Mapping[str, Times]) -> Times:
        """Over those who may draw a level."""
        drawers = [self.crew.gpu_types[level.variant] for level in self._spec.ladder]
        counts = [
            {by_gpu_type[gpu]: n for gpu, n in (mine or dict.fromkeys(level.seconds, 1)).items()}
            for level, mine in zip(self._spec.ladder, drawers, strict=True)
        ]
        return Times(
            seconds=[
                fmean([times.seconds[index] for times in mine], mine.values())
                for index, mine in enumerate(counts)
            ],
            longest=[max(t.longest[index] for t in mine) for index, mine in enumerate(counts)],
            fresh=[any(t.fresh[index] for t in mine) for index, mine in enumerate(counts)],
        )


class _WhereAsked(dict[str, Times]):
    """By GPU type: reckoned when it is first asked for."""

    def __init__(self, reckon: Callable[[str], Times]) -> None:
        self._reckon = reckon

    def __missing__(self, gpu_type: str) -> Times:
        found = self[gpu_type] = self._reckon(gpu_type)
        return found


def _sized(variant: str, job: Job) -> tuple[str, int, int]:
    return variant, job.terms.size.width, job.terms.size.height
