"""What each level could do for a job now: the candidates that the policy weighs.

Only a worker knows which sizes its variant can draw. A size that no worker has begun yet at a
variant is therefore taken to cost no more than the default one: the request reaches a worker,
which refuses it by the field's name before any work, or begins it and so proves the size.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from math import inf
from statistics import fmean

from argus_core.choice import Candidate
from argus_core.estimate import ServiceTimes, pixel_scale
from argus_core.queue import Queues
from argus_core.spec import ClusterSpec, Level
from argus_router.fleet import Worker
from argus_router.job import Job
from argus_router.prices import Prices
from argus_router.view import Group, grouped

_MOST_SIZES = 1024
"""Pairs of variant and size that are remembered as proven."""


class Outlook:
    """Weighs levels against what runs and waits; learns from what was drawn."""

    def __init__(self, spec: ClusterSpec) -> None:
        self._spec = spec
        self._variants = [variant.name for variant in spec.variants]
        self._times = ServiceTimes(spec.ladder)
        self._proven: OrderedDict[tuple[str, int, int], None] = OrderedDict()
        self._gpu_types = {pool.name: pool.gpu_type for pool in spec.pools}
        self.prices = Prices(spec)

    def look(self, workers: Iterable[Worker], queues: Queues[Job], now: float) -> View:
        """The workers and queues as they are now; of no use once they have changed."""
        groups = grouped(self._variants, workers, queues, now)
        mean = [
            fmean(self._times.expect(level.name, gpu, now) for gpu in self.gpus(level, groups))
            for level in self._spec.ladder
        ]
        standing = {variant: group.standing(queues) for variant, group in groups.items()}
        prices = self.prices.of(standing, mean, now)
        return View(self, self._spec, groups=groups, prices=prices, queues=queues, now=now)

    def gpus(self, level: Level, groups: Mapping[str, Group]) -> Sequence[str]:
        """GPU types of those who may draw a level, each as often as there are workers."""
        return [self.gpu(w) for w in groups[level.variant].holders] or list(level.seconds)

    def gpu(self, worker: Worker) -> str:
        """A worker's GPU type; empty where its pool is not known."""
        return self._gpu_types.get(worker.state.pool if worker.state else "", "")

    def expect(self, level: Level, job: Job, gpus: Sequence[str], now: float) -> tuple[float, bool]:
        """Seconds of a job, and whether they rest on something seen lately.

        Late binding: any of several workers may draw it, so what to expect is their mean.
        """
        scale = pixel_scale(job.terms.size, self._spec.default_size)
        if _sized(level, job) not in self._proven:
            scale = min(scale, 1.0)
        seconds = scale * fmean(self._times.expect(level.name, gpu, now) for gpu in gpus)
        return seconds, any(self._times.fresh(level.name, gpu, now) for gpu in gpus)

    def began(self, job: Job) -> None:
        """Learn that a worker has begun a job: its variant can draw its size."""
        self._proven[_sized(job.settled.level, job)] = None
        if len(self._proven) > _MOST_SIZES:
            self._proven.popitem(last=False)

    def observe(self, job: Job, worker: Worker, seconds: float, now: float) -> None:
        """Learn what a job took on a worker, from hand-over to result."""
        scale = pixel_scale(job.terms.size, self._spec.default_size)
        self._times.observe(job.settled.level.name, self.gpu(worker), seconds / scale, now)


class View:
    """One look: everything in it is of the same moment."""

    def __init__(
        self,
        outlook: Outlook,
        spec: ClusterSpec,
        *,
        groups: Mapping[str, Group],
        prices: Mapping[str, float],
        queues: Queues[Job],
        now: float,
    ) -> None:
        self._outlook, self._spec, self._groups = outlook, spec, groups
        self._prices, self._queues, self._now = prices, queues, now

    @property
    def slots(self) -> Mapping[str, int]:
        """Requests that ready workers take at once, by the variant that they hold."""
        return {variant: len(group.free_in) for variant, group in self._groups.items()}

    def candidates(self, job: Job) -> list[Candidate]:
        """Every level of the ladder, as it stands for `job`, from dearest to cheapest."""
        waits = {v: group.wait(job, self._queues) for v, group in self._groups.items()}
        found = []
        for level in self._spec.ladder:
            wait, squeezed = waits[level.variant]
            gpus = self._outlook.gpus(level, self._groups)
            found.append(self._candidate(level, job, gpus, wait=wait, squeezed=squeezed))
        return found

    def here(self, job: Job, worker: Worker) -> list[Candidate]:
        """The levels that a free worker could draw `job` at, now that its turn has come."""
        gpus, held = [self._outlook.gpu(worker)], worker.loadout
        return [
            self._candidate(level, job, gpus, wait=0.0, squeezed=0.0)
            for level in self._spec.ladder
            if level.variant in held
        ]

    def room(self, worker: Worker) -> float:
        """Seconds that a free worker may take before others who wait for its variants are late.

        Reckoned as if all of them were drawn at their quickest; infinite where nobody waits.
        """
        least = inf
        for variant in worker.loadout:
            group = self._groups[variant]
            free_in, ahead = group.free_in, sum(group.free_in)
            for entry in self._queues.queue(variant):
                quickest = entry.item.quickest(group.common[variant])
                spare = entry.rank.deadline - self._now - quickest
                # Who cannot be in time whatever happens is no reason to hurry.
                if spare > 0:
                    least = min(least, max(0.0, spare * len(free_in) - ahead))
                ahead += quickest
        return least

    def _candidate(
        self,
        level: Level,
        job: Job,
        gpus: Sequence[str],
        *,
        wait: float | None,
        squeezed: float | None,
    ) -> Candidate:
        seconds, fresh = self._outlook.expect(level, job, gpus, self._now)
        return Candidate(
            level=level,
            quality=job.qualities.get(level.name, level.quality),
            wait=wait,
            seconds=seconds,
            fresh=fresh,
            price=self._prices[level.variant],
            squeezed=squeezed,
        )


def _sized(level: Level, job: Job) -> tuple[str, int, int]:
    return level.variant, job.terms.size.width, job.terms.size.height
