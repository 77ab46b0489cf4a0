"""From a decided job to an image: queues, late binding, and what happens when a worker is lost.

Model: everything here runs on one event loop, and no method awaits between reading the state
and changing it; only attempts, each a task, wait. Invariants:

- a job waits in exactly one queue, or runs in exactly one attempt, or has ended;
- a job ends once, and its sink hears of it once;
- a job is bound to a worker only when that worker has a free slot;
- a job that no level can serve now, because no worker holds its variant, waits undecided in
  the queue named `UNDECIDED` and is decided when the workers change, or expires.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf

from argus_core.choice import Ask, Decision, Policy, quickest
from argus_core.errors import ArgusError, DeadlineMissed, Unavailable
from argus_core.queue import Entry, Queues
from argus_core.spec import ClusterSpec
from argus_protos.v1 import cluster_pb2
from argus_router.attempt import Drawn, Failed, Outcome, Refused, attempt
from argus_router.door import Door
from argus_router.fleet import Fleet, Worker
from argus_router.job import Job, JobState
from argus_router.outlook import Outlook, View

log = logging.getLogger(__name__)

UNDECIDED = ""
"""Queue of jobs whose level waits for a worker to hold its variant."""


class Dispatcher:
    """Has every job drawn, or fails it, within its deadline."""

    def __init__(
        self,
        *,
        spec: ClusterSpec,
        policy: Policy,
        fleet: Callable[[Callable[[], None]], Fleet],
        clock: Callable[[], float],
    ) -> None:
        self._spec, self._policy, self._clock = spec, policy, clock
        self._outlook = Outlook(spec)
        self._door = Door(limit=spec.router.max_queued)
        self._expiry: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: set[str] = set()
        self.queues: Queues[Job] = Queues(limit=spec.router.max_queued)
        self.served = asyncio.Event()
        """Set once a worker serves a variant; workers that switch later do not unset it."""
        self.fleet = fleet(self.on_fleet_change)

    async def close(self) -> None:
        """Cancel what runs, and wait for it to be over."""
        if self._expiry is not None:
            self._expiry.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def apply(self, plan: cluster_pb2.Plan) -> None:
        """A plan is in force."""
        self._outlook.prices.apply(plan)

    def submit(self, jobs: Sequence[Job]) -> None:
        """Take all of the jobs, the images of one request, or none.

        Raises:
            Exhausted, DeadlineMissed, InvalidRequest: one cannot be had; none is taken.
        """
        self._let_in(jobs)
        self.queues.require_room(len(jobs), retry_after=self._relief())
        placed: list[Job] = []
        try:
            for job in jobs:
                self._place(job)
                placed.append(job)
        except ArgusError:
            for job in placed:
                self.cancel(job)
            raise
        for job in jobs:
            if job.decision is not None:
                job.sink.accepted(job)
        self._pump()

    def cancel(self, job: Job) -> None:
        """Forget a job: nobody waits for it any more. Its sink hears nothing."""
        job.state = JobState.ENDED
        self.queues.remove(job.rank)
        if job.task is not None:
            job.task.cancel()

    def fail(self, job: Job, error: ArgusError) -> None:
        """End a job with an error, wherever it stands."""
        self._fail(job, error)
        self.cancel(job)

    def on_fleet_change(self) -> None:
        """Decide anew what waits for a variant that nobody holds, and bind what can be bound."""
        held = {variant for worker in self.fleet for variant in worker.loadout}
        if held:
            self.served.set()
        if held != self._held:
            self._held = held
            for variant in self.queues.variants():
                if variant not in held:
                    for entry in self.queues.take(variant):
                        self._place_again(entry.item)
        self._pump()

    def _let_in(self, jobs: Sequence[Job]) -> None:
        """Make sure that the images of a request may come in together."""
        now, first = self._clock(), jobs[0]
        self._outlook.prices.saw(first.qualities, len(jobs), now)
        view = self._look()
        self._door.require(
            first.terms.request,
            _ask(first, now),
            view.candidates(first),
            slots=sum(worker.slots for worker in self.fleet if worker.ready),
            holding=view.slots,
            queued=len(self.queues),
            now=now,
        )

    def _look(self) -> View:
        return self._outlook.look(self.fleet, self.queues, self._clock())

    def _place(self, job: Job) -> None:
        """Choose a job's level and queue it; undecided where no worker holds what it needs."""
        now = self._clock()
        asks = _ask(job, now)
        candidates = self._look().candidates(job)
        job.least = quickest(asks, candidates)
        try:
            decision = self._policy.choose(asks, candidates)
        except Unavailable:
            self._queue(job, UNDECIDED, seconds=0.0)
            return
        job.decision = decision
        self._queue(job, decision.level.variant, seconds=decision.seconds)

    def _place_again(self, job: Job) -> None:
        """`_place` for a job that was taken before; ends it where that cannot be."""
        if job.state is JobState.ENDED:
            return
        known = job.decision is not None
        try:
            self._place(job)
        except ArgusError as error:
            self._fail(job, self._excuse(job, error) if known else error)
            return
        if job.decision is not None and not known:
            job.sink.accepted(job)

    def _queue(self, job: Job, variant: str, *, seconds: float) -> None:
        job.state = JobState.WAITING
        self.queues.push(variant, Entry(rank=job.rank, seconds=seconds, item=job))
        self._expect(job.deadline)

    def _pump(self) -> None:
        """Bind what waits to the workers that are free, the least versatile of them first."""
        free = [worker for worker in self.fleet if worker.free]
        for worker in sorted(free, key=lambda w: (len(w.loadout), -w.free, w.address)):
            while worker.free and (entry := self.queues.pop(worker.loadout)) is not None:
                job = entry.item
                if self._choose_here(job, worker) or job.rethought:
                    self._bind(job, worker)
                else:
                    job.rethought = True
                    self._place_again(job)
            while worker.free and self._take_over(worker):
                pass

    def _choose_here(self, job: Job, worker: Worker) -> bool:
        """Choose a job's level anew, now that its turn has come; False where none is in time."""
        view = self._look()
        decision = self._decision_here(job, worker, view, room=view.room(worker))
        if decision is None:
            return False
        if decision.level != job.settled.level:
            reason = f"when its turn came, {decision.reason}"
            job.decision = replace(decision, reason=reason)
        return True

    def _decision_here(
        self, job: Job, worker: Worker, view: View, *, room: float = inf
    ) -> Decision | None:
        """What a free worker would best draw a job at; None where nothing is in time."""
        asks = replace(_ask(job, self._clock()), room=room)
        try:
            return self._policy.choose(asks, view.here(job, worker))
        except ArgusError:
            return None

    def _take_over(self, worker: Worker) -> bool:
        """Bind a job that waits for others to a worker that nothing waits for, where that gains."""
        waiting = set(self.queues.variants()) - {UNDECIDED, *worker.loadout}
        if not waiting:
            return False
        view = self._look()
        for variant in sorted(waiting):
            head = self.queues.queue(variant).head
            assert head is not None, "something waits for it"
            job = head.item
            decision = self._decision_here(job, worker, view)
            if decision is not None and decision.worth > self._worth_there(job, view):
                self.queues.remove(job.rank)
                reason = f"a worker with {decision.level.variant} was free; {decision.reason}"
                job.decision = replace(decision, reason=reason)
                self._bind(job, worker)
                return True
        return False

    def _worth_there(self, job: Job, view: View) -> float:
        """Of a job where it waits, as prices are now; the least of all where it would be late."""
        there = next(c for c in view.candidates(job) if c.level == job.settled.level)
        completion = there.completion
        in_time = completion is not None and completion <= job.deadline - self._clock()
        return there.worth if in_time else -inf

    def _bind(self, job: Job, worker: Worker) -> None:
        job.state, job.worker, job.began = JobState.RUNNING, worker.name, self._clock()
        job.attempts += 1
        worker.running[job] = None
        job.task = asyncio.create_task(self._run(job, worker), name=job.request_id)
        self._tasks.add(job.task)
        job.task.add_done_callback(self._tasks.discard)

    async def _run(self, job: Job, worker: Worker) -> None:
        try:
            outcome = await attempt(
                job,
                worker.stub,
                remaining=max(0.0, job.deadline - self._clock()),
                began=lambda: self._began(job, worker),
            )
        except Exception:
            log.exception("an attempt at %s broke", job.request_id)
            outcome = Failed(ArgusError("internal error; the router's log tells more"))
        finally:
            job.task = None
            del worker.running[job]
            if worker.retired:
                await self.fleet.release(worker)
            self._pump()
        if job.state is JobState.RUNNING:
            self._settle(job, worker, outcome)

    def _began(self, job: Job, worker: Worker) -> None:
        worker.began()
        self._outlook.began(job)

    def _settle(self, job: Job, worker: Worker, outcome: Outcome) -> None:
        if isinstance(outcome, Drawn):
            now = self._clock()
            self._outlook.observe(job, worker, now - job.began, now)
            job.state = JobState.ENDED
            job.sink.finished(job, outcome.result)
        elif isinstance(outcome, Failed):
            late = isinstance(outcome.error, DeadlineMissed)
            self._fail(job, self._too_late(job) if late else outcome.error)
        elif isinstance(outcome, Refused):
            job.attempts -= 1
            worker.refused()
            self._after_rest(worker)
            self._place_again(job)
        else:
            self._after_loss(job, worker, outcome.error)
        self._pump()

    def _after_rest(self, worker: Worker) -> None:
        """Bind what waits once the worker's rest is over; loops may fire a little early."""
        if worker.rest > 0:
            asyncio.get_running_loop().call_later(worker.rest, self._after_rest, worker)
        else:
            self._pump()

    def _after_loss(self, job: Job, worker: Worker, error: ArgusError) -> None:
        log.warning("worker %s lost %s: %s", worker.name, job.request_id, error)
        self.fleet.doubt(worker)
        if job.attempts < self._spec.router.max_attempts:
            self._place_again(job)
        elif isinstance(error, Unavailable):
            self._fail(job, Unavailable(f"begun {job.attempts} times, every time lost: {error}"))
        else:
            self._fail(job, error)

    def _fail(self, job: Job, error: ArgusError) -> None:
        if job.state is JobState.ENDED:
            return  # A sibling's failure has ended it meanwhile.
        job.state = JobState.ENDED
        job.sink.failed(job, error)

    @staticmethod
    def _excuse(job: Job, error: ArgusError) -> ArgusError:
        """What to tell a client whose job was taken and cannot be had after all."""
        if job.attempts:
            return Unavailable(f"begun {job.attempts} times and lost; {error}")
        return DeadlineMissed(f"it had to wait too long: {error}")

    def _relief(self) -> float:
        """Seconds until about one of those that wait has gone; for a queue that is full."""
        slots = sum(worker.slots for worker in self.fleet if worker.ready)
        work = sum(self.queues.queue(variant).work for variant in self.queues.variants())
        return max(0.05, work / max(1, slots) / max(1, len(self.queues)))

    def _expect(self, deadline: float) -> None:
        """Have the expiry timer fire no later than `deadline`."""
        loop = asyncio.get_running_loop()
        at = loop.time() + max(0.0, deadline - self._clock())
        if self._expiry is not None and not self._expiry.cancelled():
            if self._expiry.when() <= at:
                return
            self._expiry.cancel()
        self._expiry = loop.call_at(at, self._expire)

    def _expire(self) -> None:
        self._expiry = None
        for entry in self.queues.expire(self._clock()):
            self._fail(entry.item, self._too_late(entry.item))
        if (nearest := self.queues.next_deadline()) is not None:
            self._expect(nearest)

    @staticmethod
    def _too_late(job: Job) -> ArgusError:
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


def _ask(job: Job, now: float) -> Ask:
    return Ask(
        remaining=job.deadline - now,
        elapsed=now - job.arrived,
        minimum_quality=job.terms.minimum_quality,
        level=job.terms.request.level,
    )
