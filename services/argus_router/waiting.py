"""Jobs that wait, and who draws them: every decision about them, and nothing that takes time.

Model: pure but for the clock that it is given. Jobs come in (`submit`), wait in the queue of the
variant that they shall be drawn with, and leave when a free worker takes one (`next`), when they
are cancelled, or when they fail: then their sink has heard of it. Invariants:

- a job that came in waits in exactly one queue, or was taken by a worker, or has ended;
- a job ends once, and its sink hears of it once;
- a job that no level can serve now, because no worker holds its variant, waits undecided in the
  queue named `UNDECIDED` and is decided when the workers change, or expires;
- who came in is in time if images take what is expected: whoever is let in, or goes before others,
  leaves those who wait time enough to be drawn at their quickest, and a fifth of theirs to spare.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from math import inf

from argus_core.choice import Ask, Candidate, Decision, Policy, quickest, roomiest
from argus_core.demand import Shares
from argus_core.errors import ArgusError, DeadlineMissed, InvalidRequest, Unavailable
from argus_core.queue import NONE, Entry, Queues
from argus_core.spec import ClusterSpec
from argus_protos.v1 import cluster_pb2
from argus_router.door import SURE, Asked, Door
from argus_router.fetches import Fetches
from argus_router.fleet import Worker
from argus_router.job import Job, JobState
from argus_router.outlook import Outlook
from argus_router.tenants import Tenants
from argus_router.view import View, left

_CREDIT = 8
"""Images at the dearest level that a tenant may have before others, if it had less than they."""
_JUST_NOW = 0.005
"""Seconds for which a decision holds where nothing else waits."""
UNDECIDED = ""
"""Queue of jobs whose level waits for a worker to hold its variant."""


class Waiting:
    """See the module."""

    def __init__(
        self,
        *,
        spec: ClusterSpec,
        policy: Policy,
        clock: Callable[[], float],
        fetches: Fetches | None = None,
    ) -> None:
        self._policy, self._clock = policy, clock
        limit = spec.router.max_queued
        self._limit, self._door = limit, Door(limit=limit)
        self.tenants = Tenants(spec)
        self._variants = [variant.name for variant in spec.variants]
        self._changed = -inf
        """When the plan or the workers last did."""
        self.outlook = Outlook(spec, fetches)
        self.queues: Queues[Job] = Queues(
            limit=limit,
            bytes_limit=spec.router.max_queued_bytes,
            weight=self.tenants.weight,
            credit=_CREDIT * max(max(level.seconds.values()) for level in spec.ladder),
        )

    def apply(self, plan: cluster_pb2.Plan) -> None:
        """A plan is in force."""
        self.outlook.prices.apply(plan)
        self._changed = self._clock()

    def meet(self, workers: Iterable[Worker]) -> None:
        """The workers are these now: decide anew what waits for a variant that nobody holds."""
        before = self.outlook.crew
        self.outlook.meet(workers, self.queues)
        if self.outlook.crew is before:
            return
        self._changed = self._clock()
        holders = self.outlook.crew.holders
        for variant in self.queues.variants():
            if not holders.get(variant):
                for entry in self.queues.take(variant):
                    self.again(entry.item)

    @property
    def crowded(self) -> bool:
        """Whether some were refused lately, and told to come again."""
        return self._door.promised > 0

    def glance(self, jobs: Sequence[Job]) -> None:
        """Refuse at once what would be refused whatever is predicted of it; jobs have priors.

        A refusal counts as one by `submit`; nothing else comes of it.

        Raises:
            Exhausted: they are refused.
        """
        self._name(jobs)
        view, asks = self._look(), _ask(jobs[0], self._clock())
        candidates = view.candidates(jobs[0], priced=False)
        # A prompt may be worth more than the priors at the level that has most time to spare.
        best = roomiest(replace(asks, minimum_quality=0.0), _sure(candidates))
        if best is not None and self._door.turns_away(self._asked(jobs, asks, best, view)):
            self._saw(jobs, predicted=False)
            self._let_in(jobs, view, candidates)

    def submit(self, jobs: Sequence[Job]) -> None:
        """Take all of the jobs, the images of one request, or none.

        Raises:
            Exhausted, DeadlineMissed, InvalidRequest: one cannot be had; none is taken.
        """
        self._name(jobs)
        self._saw(jobs)
        view, crowded = self._look(), self.crowded
        # While most are refused, prices are reckoned for those who are not.
        candidates = view.candidates(jobs[0], priced=not crowded)
        self._let_in(jobs, view, candidates)
        if crowded:
            candidates = view.candidates(jobs[0])
        placed: list[Job] = []
        try:
            for job in jobs:
                self._place(job, self._look().candidates(job) if placed else candidates)
                placed.append(job)
        except ArgusError:
            for job in placed:
                self.cancel(job)
            raise
        for job in jobs:
            if job.decision is not None:
                job.sink.accepted(job)

    def again(self, job: Job) -> None:
        """Choose the level of a job that was taken before; end it where that cannot be."""
        if job.state is JobState.ENDED:
            return
        known = job.decision is not None
        try:
            self._place(job, self._look().candidates(job))
        except ArgusError as error:
            self.fail(job, _excuse(job, error) if known else error)
            return
        if job.decision is not None and not known:
            job.sink.accepted(job)

    def next(self, worker: Worker) -> Job | None:
        """What a free worker shall draw now, decided anew; None where nothing is for it."""
        if worker.most is not None and (drawing := list(worker.drawing)):
            return self._beside(worker, drawing)
        while (entry := self.queues.pop(worker.loadout)) is not None:
            job = entry.item
            try:
                if self._holds(job):
                    self._take(job, job.settled)
                else:
                    self._take(job, self._decide(job, worker, self._look(), may_try=True))
            except ArgusError as error:
                self._elsewhere(job, error)
            else:
                return job
        return self._take_over(worker)

    def _holds(self, job: Job) -> bool:
        """Whether a job's turn has come so soon that its decision would be the same again.

        Nothing else waits, it was decided just now and could have begun then, and what counted for
        those who may draw it counts for each of them.
        """
        oldest = max(self._clock() - _JUST_NOW, self._changed)
        if len(self.queues) or job.starts or job.decided <= oldest:
            return False
        return job.settled.level.variant in self.outlook.crew.alike

    def _beside(self, worker: Worker, drawing: Sequence[Job]) -> Job | None:
        """What a worker shall draw beside what it draws: whoever's turn it is, or nobody.

        Only where that makes all of them cheaper, and those that it draws stay in time.
        """
        entry, now, images = self.queues.first(worker.loadout), self._clock(), len(drawing)
        if entry is None:
            return None
        job, company, gpu_type = entry.item, self.outlook.company, self.outlook.gpu_type(worker)
        beside = [other.settled.level for other in drawing]
        alike = all(
            other.terms.size == job.terms.size
            and company.gains(other.settled.level, gpu_type, images + 1)
            for other in drawing
        )
        levels = [
            candidate
            for candidate in self._look().here(job, worker)
            if alike
            and {candidate.level.variant} == {level.variant for level in beside}
            and company.gains(candidate.level, gpu_type, images + 1)
            and all(
                now + company.longer(candidate.level, gpu_type, images + 1) * left(other, now)
                <= other.deadline
                for other in drawing
            )
        ]
        if not levels:
            return None
        try:
            decision = self._policy.choose(_ask(job, now), levels)
        except ArgusError:
            return None  # It is decided again when the worker is free, or waits elsewhere.
        self.queues.remove(job.rank)
        self._take(job, decision)
        return job

    def used(self, job: Job, seconds: float) -> None:
        """A worker was busy with a job for so long, whatever came of it."""
        self.tenants.correct(job.tenant, seconds - job.booked, self._clock())
        self.queues.correct(job.rank.band, job.tenant, seconds - job.expected)
        job.booked = 0.0

    def cancel(self, job: Job) -> None:
        """Forget a job: nobody waits for it any more. Its sink hears nothing."""
        if job.state is JobState.WAITING and job.booked:
            self.tenants.correct(job.tenant, -job.booked, self._clock())
            job.booked = 0.0
        job.state = JobState.ENDED
        self.queues.remove(job.rank)

    def fail(self, job: Job, error: ArgusError) -> None:
        """End a job with an error."""
        if job.state is JobState.ENDED:
            return  # A sibling's failure has ended it meanwhile.
        self.cancel(job)
        job.sink.failed(job, error)

    def expire(self) -> None:
        """End those whose deadline is over."""
        for entry in self.queues.expire(self._clock()):
            self.fail(entry.item, too_late(entry.item))

    def _name(self, jobs: Sequence[Job]) -> None:
        """Note whom a request's images count for."""
        tenant = self.tenants.key(jobs[0].terms.request.tenant, self._clock())
        for job in jobs:
            job.tenant = tenant

    def _saw(self, jobs: Sequence[Job], *, predicted: bool = True) -> None:
        """Have prices know of the images of a request."""
        now, first, prices = self._clock(), jobs[0], self.outlook.prices
        known = first.qualities if predicted else None
        prices.saw(known, len(jobs), now, remaining=first.deadline - now)
        prices.room = self._door.room

    def _let_in(self, jobs: Sequence[Job], view: View, candidates: Sequence[Candidate]) -> None:
        """Make sure that the images of a request may come in together.

        Args:
            jobs: the images.
            view: of now.
            candidates: the levels, as they stand for the first; prices do not matter.

        Raises:
            ArgusError: they may not.
        """
        first = jobs[0]
        asks = _ask(first, self._clock())
        sure = _sure(candidates)
        best = roomiest(asks, sure)
        if best is None and len(sure) < len(candidates):
            best = roomiest(asks, candidates)
        # What no level can do in time though nothing waits, the choice of level finds words for.
        if best is not None:
            self._count(jobs, best, candidates)
            self._door.require(self._asked(jobs, asks, best, view))
        shares, tenant = self._shares(), first.tenant
        self.queues.require_room(
            len(jobs),
            sum(job.bytes for job in jobs),
            tenant=tenant,
            share=shares.share(tenant),
            reserved=self._reserved(tenant, shares),
            retry_after=self._relief,
        )

    def _count(self, jobs: Sequence[Job], best: Candidate, candidates: Sequence[Candidate]) -> None:
        """Hold a request against its tenant's quotas, and remember what the tenant asks for."""
        now, first, count = self._clock(), jobs[0], len(jobs)
        pinned = first.terms.request.level
        wanted = [c.seconds for c in _sure(candidates) if pinned in {None, c.level.name}]
        dearest = max(wanted, default=best.seconds)
        tenant, least = first.tenant, best.seconds
        queued = self.queues.held(tenant).images
        self.tenants.require(tenant, count, seconds=least * count, queued=queued, now=now)
        for job in jobs:
            job.booked = least
        self.tenants.saw(tenant, best=dearest * count, least=least * count, now=now)

    def _asked(self, jobs: Sequence[Job], asks: Ask, best: Candidate, view: View) -> Asked:
        """A request at the door, which lets it in by its tenant's share."""
        first, crew, shares = jobs[0], self.outlook.crew, self._shares()
        variant, tenant = best.level.variant, first.tenant
        queued, limit = len(self.queues), self._limit
        if tenant in shares.over:
            waits = [best.squeezed or 0.0, view.own_wait(first, variant)]
            best = best._replace(squeezed=max(waits))
            queued = self.queues.held(tenant).images
            limit = max(1, int(limit * (1 - self._reserved(tenant, shares))) - len(self.queues))
            limit += queued
        elif shares.of:
            limit = max(limit, queued + len(jobs))
        return Asked(
            request=first.terms.request,
            ask=asks,
            best=best,
            slots=crew.all_slots,
            holding=crew.slots[variant],
            behind=view.room_before(first, variant),
            queued=queued,
            now=self._clock(),
            tenant=tenant,
            share=shares.share(tenant),
            limit=limit,
        )

    def _reserved(self, tenant: str, shares: Shares) -> float:
        """Of the places: what a tenant that is over its share leaves to others."""
        if tenant not in shares.over:
            return 0.0
        held, limit = self.queues.held, self._limit
        others = (t for t in shares.of if t != tenant and t not in shares.over)
        return min(
            1 - shares.share(tenant),
            sum(max(0.0, shares.share(t) - held(t).images / limit) for t in others),
        )

    def _shares(self) -> Shares:
        return self.tenants.shares(self.outlook.crew.all_slots, self._clock())

    def _look(self) -> View:
        return self.outlook.look(self.queues, self._clock(), self._shares())

    def _place(self, job: Job, candidates: Sequence[Candidate]) -> None:
        """Choose a job's level and queue it; undecided where no worker holds what it needs."""
        asks, sure = _ask(job, self._clock()), _sure(candidates)
        index = self.outlook.index
        least = quickest(asks, sure)
        if len(sure) < len(candidates):
            least = {**quickest(asks, candidates), **least}
        job.quickest = {v: index(c.level) for v, c in least.items()}
        try:
            job.decision = self._policy.choose(asks, candidates)
        except Unavailable:
            self._queue(job, UNDECIDED, NONE)
            return
        level = job.decision.level
        taken = candidates[index(level)]
        job.decided = self._clock() if taken.wait == 0 else -inf
        self._queue(job, level.variant, index(level))

    def _queue(self, job: Job, variant: str, level: int) -> None:
        job.state = JobState.WAITING
        entry = Entry(
            rank=job.rank,
            item=job,
            tenant=job.tenant,
            size=job.bytes,
            level=level,
            quickest=self.outlook.quickest(variant, job),
            scale=self.outlook.scale(job, variant),
            due=job.arrived + SURE * (job.deadline - job.arrived),
        )
        self.queues.push(variant, entry)

    def _decide(self, job: Job, worker: Worker, view: View, *, may_try: bool = False) -> Decision:
        """What a free worker would best draw a job at; an `ArgusError` where none is in time.

        `may_try` has it begin from a latent though starts are closed, if it is time for a try.
        """
        fetches = self.outlook.fetches
        if may_try and fetches.closed and job.starts:
            tried = self._best(job, worker, view, trying=True)
            if not tried.level.skipped_steps or fetches.may_try(self._clock()):
                return tried
        return self._best(job, worker, view, trying=False)

    def _best(self, job: Job, worker: Worker, view: View, *, trying: bool) -> Decision:
        now, candidates = self._clock(), view.here(job, worker, trying=trying)
        least = quickest(_ask(job, now), candidates).values()
        room, strained = view.room(worker, min((c.seconds for c in least), default=0.0), job.tenant)
        return self._policy.choose(_ask(job, now, room=room, strained=strained), candidates)

    def _take(self, job: Job, decision: Decision) -> None:
        """A job's turn has come, at this level."""
        job.expected = decision.seconds
        self.queues.charge(job.rank.band, job.tenant, decision.seconds)
        if decision.level != job.settled.level:
            job.decision = replace(decision, reason=f"when its turn came, {decision.reason}")

    def _elsewhere(self, job: Job, error: ArgusError) -> None:
        """Nothing that this worker could do for a job is in time: see what others can, once."""
        if job.rethought:
            self.fail(job, _excuse(job, error))
        else:
            job.rethought = True
            self.again(job)

    def _take_over(self, worker: Worker) -> Job | None:
        """A job that waits for others, where a worker that nothing waits for gains by it."""
        if not len(self.queues):
            return None
        waiting = set(self.queues.variants()) - {UNDECIDED, *worker.loadout}
        view = self._look()
        for variant in sorted(waiting):
            head = self.queues.head(variant)
            assert head is not None, "something waits for it"
            job = head.item
            try:
                decision = self._decide(job, worker, view)
            except ArgusError:
                continue
            if decision.worth > self._worth_there(job, view):
                self.queues.remove(job.rank)
                reason = f"a worker with {decision.level.variant} was free; {decision.reason}"
                job.decision, job.expected = replace(decision, reason=reason), decision.seconds
                self.queues.charge(job.rank.band, job.tenant, decision.seconds)
                return job
        return None

    def _worth_there(self, job: Job, view: View) -> float:
        """Of a job where it waits, as prices are now; the least of all where it would be late."""
        there = view.candidates(job)[self.outlook.index(job.settled.level)]
        completion = there.completion
        in_time = completion is not None and completion <= job.deadline - self._clock()
        return there.worth if in_time else -inf

    def _relief(self) -> float:
        """Seconds until about one of those that wait has gone; for a queue that is full."""
        work = sum(self.queues.ahead().settled.values())
        return max(0.05, work / max(1, self.outlook.crew.all_slots) / max(1, len(self.queues)))


def too_late(job: Job) -> ArgusError:
    """What to tell a client whose deadline has passed."""
    is_running = job.state is JobState.RUNNING
    if job.attempts > is_running:
        return Unavailable(f"the deadline passed; a worker was lost ({job.attempts} begun)")
    if is_running:
        return DeadlineMissed(f"the deadline passed while {job.worker} was drawing it")
    if job.decision is None:
        return DeadlineMissed("the deadline passed before a worker held a variant for it")
    return DeadlineMissed(
        f"the deadline passed while it waited for a worker with {job.decision.level.variant}"
    )


def _excuse(job: Job, error: ArgusError) -> ArgusError:
    """What to tell a client whose job was taken and cannot be had after all."""
    if isinstance(error, InvalidRequest):
        return error  # Its latent is gone, and the request asks for what needs one.
    if job.attempts:
        return Unavailable(f"begun {job.attempts} times and lost; {error}")
    return DeadlineMissed(f"it had to wait too long: {error}")


def _sure(candidates: Sequence[Candidate]) -> Sequence[Candidate]:
    """Levels that need no latent: one may be gone when the time has come."""
    return [c for c in candidates if not c.level.skipped_steps]


def _ask(job: Job, now: float, *, room: float = inf, strained: float = inf) -> Ask:
    return Ask(
        remaining=job.deadline - now,
        elapsed=now - job.arrived,
        minimum_quality=job.terms.minimum_quality,
        level=job.terms.request.level,
        room=room,
        strained=strained,
    )
