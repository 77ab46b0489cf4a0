"""The workers and queues at one moment: what each level could do for a job now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from math import inf

from argus_core.choice import Candidate
from argus_core.demand import ALONE, Shares
from argus_core.estimate import Slots, slots_of, start_after
from argus_core.legacy import with_legacy
from argus_core.queue import Ahead, Leeway, Queues
from argus_core.spec import Level
from argus_router.crew import Crew
from argus_router.fleet import Worker
from argus_router.job import Job
from argus_router.prices import Standing

_CROWDED = 0.5
"""Of the places: what may be taken before their number matters."""
_OVERRUN = 0.1
"""Of its expected seconds: what an image that overruns them is taken to need still."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Times:
    """What images at the default size take, by level in the ladder's order."""

    seconds: Sequence[float]
    """Expected."""
    longest: Sequence[float]
    """That they may well take."""
    fresh: Sequence[bool]
    """Whether the expectation rests on something seen lately."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What does not change from one look to the next."""

    ladder: Sequence[Level]
    crew: Crew
    mean: Times
    """Of the workers that may draw a level: any of them may, since binding is late."""
    by_gpu_type: Mapping[str, Times]
    gpu_type: Callable[[Worker], str]
    scale: Callable[[Job, str], float]
    """How many times the default size's seconds a job takes with a variant."""
    prices: Callable[[Mapping[str, Standing], Sequence[float], float], Mapping[str, float]]
    places: int
    """Images that may wait."""
    deadline: float
    """Seconds that a request has which names none."""
    starts_closed: bool = False
    """Whether nothing may begin from a cached latent."""


class View:
    """One look: of no use once something has changed."""

    def __init__(
        self, known: Known, queues: Queues[Job], now: float, shares: Shares = ALONE
    ) -> None:
        self._known, self._crew, self._queues, self._now = known, known.crew, queues, now
        self._shares = shares
        self._asked: dict[str | None, Mapping[str, float]] = {}
        self._priced: dict[str | None, Mapping[str, float]] = {}

    def candidates(self, job: Job, *, priced: bool = True) -> list[Candidate]:
        """Every level of the ladder, as it stands for `job`, from dearest to cheapest.

        Where not `priced` all prices are 0: who is refused is refused whatever a second costs.
        """
        ahead, teams = self._queues.ahead(job.rank, job.tenant), self._crew.teams
        prices = self._prices(job.tenant) if priced else dict.fromkeys(teams, 0.0)
        starts = {} if self._known.starts_closed else job.starts
        waits = {team: self._wait(team, ahead) for team in self._slots}
        scales = {variant: self._known.scale(job, variant) for variant in teams}
        found = [
            self._candidate(
                index,
                job,
                self._known.mean,
                scale=scales[level.variant],
                waits=waits[teams[level.variant]],
                price=prices[level.variant],
                has_start=level.name in starts,
            )
            for index, level in enumerate(self._known.ladder)
        ]
        return self._with_legacy(found, job)

    def here(self, job: Job, worker: Worker, *, trying: bool = False) -> list[Candidate]:
        """The levels that a free worker could draw `job` at, now that its turn has come.

        `trying` has it begin from a latent though starts are closed.
        """
        closed = self._known.starts_closed and not trying
        held, times = worker.loadout, self._known.by_gpu_type[self._known.gpu_type(worker)]
        price = _worth(held, self._asks(self._account(job.tenant)))
        found = [
            self._candidate(
                index,
                job,
                times,
                scale=self._known.scale(job, level.variant),
                waits=(0.0, 0.0),
                price=price,
                has_start=_has_start(level, job, worker, closed=closed),
            )
            for index, level in enumerate(self._known.ladder)
            if level.variant in held
        ]
        return self._with_legacy(found, job)

    def _with_legacy(self, candidates: list[Candidate], job: Job) -> list[Candidate]:
        """What is kept is of use only while starts are open."""
        if job.keeping is None or self._known.starts_closed:
            return candidates
        return with_legacy(candidates, uses=job.keeping.uses, kept=job.keeping.steps)

    def room(self, worker: Worker, first: float, tenant: str = "") -> tuple[float, float]:
        """Seconds that a free worker may take before others who wait for its variants are late.

        Args:
            worker: that is free.
            first: seconds that it takes at least.
            tenant: whose they are.

        Reckoned as if all of them were drawn at their quickest, and infinite where nobody waits.
        The second, to go by where the first is too little, uses up half of what they have in hand,
        so that all have the same of it: each may take so many times its least.
        """
        teams = {self._crew.teams[v] for v in worker.loadout if v in self._crew.teams}
        found = [self._leeway(team, first=first, tenant=tenant) for team in teams]
        ample = min((f.ample for f in found), default=inf)
        strained = min((min(f.strained, f.stretch * first) for f in found), default=inf)
        return max(0.0, ample), max(0.0, strained)

    def room_before(self, job: Job, variant: str) -> float:
        """Seconds of the holders' time that a newcomer may take before those behind it are late."""
        least = inf
        for team in self._slots:
            if share := self._crew.shares[team].get(variant):
                leeway = self._leeway(team, behind=job, tenant=job.tenant).strained
                least = min(least, max(0.0, leeway) / share)
        return least

    def own_wait(self, job: Job, variant: str) -> float:
        """Seconds until a job begins if its tenant gets its share of the workers and no more.

        Of the tenant's own that goes before, all drawn at their quickest.
        """
        team = self._crew.teams[variant]
        slots = self._slots[team].total * self._shares.share(job.tenant)
        own = self._queues.own(job.tenant, job.rank).least
        work = sum(part * own.get(v, 0.0) for v, part in self._crew.shares[team].items())
        return work / slots if slots else inf

    def _wait(self, team: str, ahead: Ahead) -> tuple[float | None, float | None]:
        """Seconds until a job begins: as levels stand, and if all ahead are at their quickest."""
        if not (slots := self._slots[team]).total:
            return None, None
        shares = self._crew.shares[team].items()
        settled = sum(share * ahead.settled.get(other, 0.0) for other, share in shares)
        least = sum(share * ahead.least.get(other, 0.0) for other, share in shares)
        return start_after(slots, settled), start_after(slots, least)

    def _leeway(
        self, team: str, *, tenant: str, first: float = 0.0, behind: Job | None = None
    ) -> Leeway:
        slots, over = self._slots[team], self._shares.over
        return self._queues.leeway(
            [variant for variant, theirs in self._crew.teams.items() if theirs == team],
            self._crew.shares[team],
            slots=slots.total,
            busy=slots.seconds,
            now=self._now,
            first=first,
            behind=None if behind is None else behind.rank,
            tenant=tenant,
            # Who asks for more than its share does not keep others from theirs.
            ignored=() if tenant in over else over,
        )

    @cached_property
    def _slots(self) -> Mapping[str, Slots]:
        """By team."""
        crew, now = self._crew, self._now
        return {
            team: slots_of(
                (
                    left(job, now)
                    for worker in crew.holders[team]
                    for job in islice(worker.drawing, worker.slots)
                ),
                crew.slots[team],
            )
            for team in dict.fromkeys(crew.teams.values())
        }

    def _account(self, tenant: str) -> str | None:
        """By whose backlog a tenant's seconds are priced; None for that of all."""
        return tenant if self._shares.share(tenant) < 1 else None

    def _asks(self, account: str | None) -> Mapping[str, float]:
        """Price of a second by variant, each for itself.

        A tenant's is that of its own backlog on its share of the workers, where that is less than
        the backlog of all: so others' loads make its pictures no worse while it stays within its
        share.
        """
        if account not in self._asked:
            every = self._queues.ahead().settled
            own = None if account is None else self._queues.own(account).settled
            share = 1.0 if account is None else self._shares.share(account)
            crowding = self._crowding(account, share)
            standing = {
                team: self._standing(team, every, own, share, crowding=crowding)
                for team in self._slots
            }
            self._asked[account] = self._known.prices(
                {variant: standing[team] for variant, team in self._crew.teams.items()},
                self._known.mean.seconds,
                self._now,
            )
        return self._asked[account]

    def _crowding(self, account: str | None, share: float) -> float:
        """Seconds of backlog that the number of those who wait stands for.

        Places may be scarcer than time: then levels must be cheap before there are none.
        """
        fill = len(self._queues) / self._known.places
        if account is not None:
            own = self._queues.held(account).images
            fill = min(fill, own / (share * self._known.places))
        return self._known.deadline * max(0.0, (fill - _CROWDED) / (1 - _CROWDED))

    def _standing(
        self,
        team: str,
        every: Mapping[str, float],
        own: Mapping[str, float] | None,
        share: float,
        *,
        crowding: float,
    ) -> Standing:
        slots, shares = self._slots[team], self._crew.shares[team].items()
        work = sum(part * every.get(other, 0.0) for other, part in shares)
        if own is not None:
            work = min(work, sum(part * own.get(other, 0.0) for other, part in shares) / share)
        work += slots.seconds
        backlog = work / slots.total if slots.total else 0.0
        return Standing(
            slots=slots.total,
            backlog=max(backlog, crowding),
            idle=slots.free > 0,
            kin=self._crew.kin[team],
            kin_slots=self._crew.kin_slots[team],
        )

    def _prices(self, tenant: str) -> Mapping[str, float]:
        """By variant: the price of the cheapest of the loadouts that hold it."""
        account = self._account(tenant)
        if account not in self._priced:
            asked, loadouts = self._asks(account), self._crew.loadouts.items()
            self._priced[account] = {
                variant: min((_worth(one, asked) for one in held), default=asked[variant])
                for variant, held in loadouts
            }
        return self._priced[account]

    def _candidate(
        self,
        index: int,
        job: Job,
        times: Times,
        *,
        scale: float,
        waits: tuple[float | None, float | None],
        price: float,
        has_start: bool,
    ) -> Candidate:
        level = self._known.ladder[index]
        return Candidate(
            level=level,
            quality=job.qualities.get(level.name, level.quality),
            wait=waits[0],
            seconds=scale * times.seconds[index],
            fresh=times.fresh[index],
            has_start=has_start,
            price=price,
            squeezed=waits[1],
            longest=scale * times.longest[index],
        )


def _worth(loadout: tuple[str, ...], asked: Mapping[str, float]) -> float:
    """Of a worker's second: what the dearest of its variants is worth."""
    return max((asked[v] for v in loadout if v in asked), default=0.0)


def _has_start(level: Level, job: Job, worker: Worker, *, closed: bool) -> bool:
    """Whether a worker can have a job's start for a level: its latents are of the same space."""
    start = job.starts.get(level.name)
    return start is not None and not closed and start.space == worker.space(level.variant)


def left(job: Job, now: float) -> float:
    """Seconds until a running job is expected to be done."""
    return max(job.began + job.expected - now, _OVERRUN * job.expected)
