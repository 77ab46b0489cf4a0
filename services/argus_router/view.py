"""The workers and queues at one moment, grouped by variant: looked at once for each decision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from argus_core.estimate import start_after
from argus_core.queue import Queues
from argus_router.fleet import Worker
from argus_router.job import Job
from argus_router.prices import Standing

_OVERRUN = 0.1
"""Of its expected seconds: what an image that overruns them is taken to need still."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """The ready workers that hold a variant, and what keeps them busy."""

    holders: Sequence[Worker]
    free_in: Sequence[float]
    """For each of their slots, seconds until it is free."""
    shares: Sequence[tuple[str, float]]
    """Variants that something waits for, and how much of that will fall on the holders."""
    common: Mapping[str, Sequence[str]]
    """By variant that something waits for: those that all who hold it hold."""

    def wait(self, job: Job, queues: Queues[Job]) -> tuple[float | None, float | None]:
        """Seconds until a job begins: as levels stand, and if all ahead are at their quickest.

        None while no worker holds the variant.
        """
        if not self.holders:
            return None, None
        ahead = least = 0.0
        for other, share in self.shares:
            queue, choice = queues.queue(other), self.common[other]
            ahead += queue.work_ahead(job.rank) * share
            least += share * sum(
                entry.item.quickest(choice) for entry in queue if entry.rank < job.rank
            )
        return start_after(self.free_in, ahead), start_after(self.free_in, least)

    def standing(self, queues: Queues[Job]) -> Standing:
        """What prices are made from."""
        slots = len(self.free_in)
        waits = sum(queues.queue(other).work * share for other, share in self.shares)
        return Standing(
            slots=slots,
            backlog=(sum(self.free_in) + waits) / slots if slots else 0.0,
            idle=not all(self.free_in),
        )


def grouped(
    variants: Sequence[str], workers: Iterable[Worker], queues: Queues[Job], now: float
) -> dict[str, Group]:
    """A group for every variant, empty ones included."""
    loadouts = [(worker, worker.loadout) for worker in workers if worker.ready]
    waiting = queues.variants()
    theirs = {other: sum(other in held for _, held in loadouts) for other in waiting}
    common = {other: _common(other, [held for _, held in loadouts]) for other in waiting}
    groups = {}
    for variant in variants:
        holding = [(worker, held) for worker, held in loadouts if variant in held]
        both = {other: sum(other in held for _, held in holding) for other in waiting}
        groups[variant] = Group(
            holders=[worker for worker, _ in holding],
            free_in=[free for worker, _ in holding for free in _free_in(worker, now)],
            shares=[(other, count / theirs[other]) for other, count in both.items() if count],
            common=common,
        )
    return groups


def _common(variant: str, loadouts: Sequence[Sequence[str]]) -> Sequence[str]:
    held = [set(loadout) for loadout in loadouts if variant in loadout]
    return sorted(set.intersection(*held)) if held else ()


def _free_in(worker: Worker, now: float) -> list[float]:
    """For each slot, seconds until it is free."""
    left = [_left(job, now) for job in worker.running][: worker.slots]
    return left + [0.0] * (worker.slots - len(left))


def _left(job: Job, now: float) -> float:
    expected = job.settled.seconds
    return max(job.began + expected - now, _OVERRUN * expected)
