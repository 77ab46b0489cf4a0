"""From a job to an image: attempts at workers, and what happens when one is lost.

Model: everything here runs on one event loop, and no method awaits between reading the state
and changing it; only attempts, each a task, wait. What waits, and what a free worker draws next,
is decided by `Waiting`. Invariants:

- a job waits, or runs in one attempt or two, or has ended; what ends well first is its result, and
  then the other attempt is cancelled;
- a job is bound to a worker only when that worker has a free slot, which it has again once the
  last step of what it drew is done;
- an attempt of which nothing was heard for too long is given up, and so as good as lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from argus_core.choice import Policy
from argus_core.errors import ArgusError, DeadlineMissed, Unavailable
from argus_core.spec import ClusterSpec
from argus_protos.v1 import cluster_pb2
from argus_router.attempt import (
    Drawn,
    Failed,
    LatentsRefused,
    Lost,
    Outcome,
    Refused,
    StartMissing,
    attempt,
)
from argus_router.faults import Fault, Faults, fingerprint, quarantined
from argus_router.fetches import Fetches
from argus_router.fleet import Fleet, Worker
from argus_router.free import Free
from argus_router.job import Job, JobState
from argus_router.run import Run
from argus_router.waiting import Waiting, too_late
from argus_rpc import tracing
from argus_rpc.convert import seconds
from argus_rpc.meanwhile import call_off

log = logging.getLogger(__name__)

_ROUND = 0.1
"""Seconds between looks at what runs, for workers that hang or are late."""


class Dispatcher:
    """Has every job drawn, or fails it, within its deadline."""

    def __init__(
        self,
        *,
        spec: ClusterSpec,
        policy: Policy,
        fleet: Callable[[Callable[[], None]], Fleet],
        clock: Callable[[], float],
        fetches: Fetches | None = None,
        tell: Callable[[Fault], None] = lambda _fault: None,
    ) -> None:
        """`tell` hears of every fault."""
        self._spec, self._clock = spec, clock
        self._expiry: tuple[float, asyncio.TimerHandle] | None = None
        """When those who wait are looked at for deadlines, on the loop's clock, and its timer."""
        self._round: asyncio.TimerHandle | None = None
        self._runs: dict[Job, list[Run]] = {}
        """Attempts that are under way; of a job with none there is no entry."""
        self.looked: Callable[[], None] = lambda: None
        """Called whenever what waits, or what is free, may have changed."""
        self._tasks: set[asyncio.Task[Any]] = set()
        self.waiting = Waiting(spec=spec, policy=policy, clock=clock, fetches=fetches)
        self.queues = self.waiting.queues
        self._free = Free()
        self.served = asyncio.Event()
        """Set once a worker serves a variant; workers that switch later do not unset it."""
        self.fleet = fleet(self.on_fleet_change)
        self.fleet.freed = self._pump
        outlook = self.waiting.outlook
        self.faults = Faults(spec, fleet=self.fleet, outlook=outlook, clock=clock, tell=tell)
        self.fleet.gone = self.faults.gone

    async def close(self) -> None:
        """Cancel what runs, and wait for it to be over."""
        for timer in (self._expiry and self._expiry[1], self._round):
            if timer is not None:
                timer.cancel()
        await call_off(self._tasks)

    def apply(self, plan: cluster_pb2.Plan) -> None:
        """A plan is in force."""
        self.waiting.apply(plan)

    def submit(self, jobs: Sequence[Job]) -> None:
        """Take all of the jobs, the images of one request, or none.

        Raises:
            Exhausted, DeadlineMissed, InvalidRequest, Quarantined: one cannot be had, and none is
                taken.
        """
        self.faults.require(jobs[0], len(jobs))
        self.waiting.submit(jobs)
        self._pump()

    def cancel(self, job: Job) -> None:
        """Forget a job: nobody waits for it any more. Its sink hears nothing."""
        self.waiting.cancel(job)
        self._stop(job)

    def fail(self, job: Job, error: ArgusError) -> None:
        """End a job with an error, wherever it stands."""
        self.waiting.fail(job, error)
        self.cancel(job)

    def on_fleet_change(self) -> None:
        """Decide anew what waits for a variant that nobody holds, and bind what can be bound."""
        self.waiting.meet(self.fleet)
        self._free.meet(self.fleet)
        if any(worker.loadout for worker in self.fleet):
            self.served.set()
        self._pump()

    def _pump(self, freed: Worker | None = None) -> None:
        """Bind what waits to the workers that are free; `freed` may have another slot."""
        if freed is not None:
            self._free.look(freed)
        self._free.offer(self.queues, self._fill)
        self._expect()
        self.looked()

    def _fill(self, worker: Worker) -> bool:
        """Have a worker draw what waits, as long as a slot is free; whether it has use for any."""
        used = False
        while len(self.queues) and worker.free:
            if (job := self.waiting.next(worker)) is None:
                break
            self._bind(job, worker)
            used = True
        return used

    def _bind(self, job: Job, worker: Worker) -> None:
        job.state, job.worker, job.began = JobState.RUNNING, worker.name, self._clock()
        job.step = 0
        self._begin(job, worker)

    def _begin(self, job: Job, worker: Worker) -> None:
        now = self._clock()
        patience = self.faults.patience(job, worker)
        run = Run(
            job=job,
            worker=worker,
            began=now,
            heard=now,
            patience=patience,
            had=worker.each(now),
            second=job in self._runs,
        )
        job.attempts += 1
        self._runs.setdefault(job, []).append(run)
        worker.running[job] = None
        # A copy for each, as the span of one attempt is not to be that of another beside it.
        own = job.context.copy()
        run.task = asyncio.create_task(self._run(run), name=job.request_id, context=own)
        self._tasks.add(run.task)
        # Not a `finally` of the task's own: one that is cancelled before its first turn has none.
        run.task.add_done_callback(partial(self._ended, run), context=job.context)
        if self._round is None:
            self._round = asyncio.get_running_loop().call_later(_ROUND, self._look_round)

    async def _run(self, run: Run) -> Outcome:
        job, worker = run.job, run.worker
        level = job.settled.level
        tracing.past("queue", max(0.0, run.began - job.ready), variant=level.variant)
        named = tracing.span(
            "attempt",
            number=job.attempts,
            index=job.index,
            level=level.name,
            variant=level.variant,
            worker=worker.name,
        )
        try:
            with named:
                return await attempt(
                    job,
                    worker,
                    remaining=max(0.0, job.deadline - self._clock()),
                    patience=run.patience,
                    began=lambda: self._began(job, worker),
                    heard=lambda: self._heard(run),
                    freed=lambda: self._freed(run),
                )
        except asyncio.CancelledError:
            if not run.given_up:
                raise
            silent = self._clock() - run.heard
            return Lost(Unavailable(f"nothing was heard for {silent:.1f} s", retry_after=None))
        except Exception:
            log.exception("an attempt at %s broke", job.request_id)
            return Failed(ArgusError("internal error; the router's log tells more"))

    def _ended(self, run: Run, task: asyncio.Task[Outcome]) -> None:
        job, worker = run.job, run.worker
        self._tasks.discard(task)
        self._runs[job].remove(run)
        if not self._runs[job]:
            del self._runs[job]
        run.had = worker.each(self._clock()) - run.had
        del worker.running[job]
        worker.finishing.discard(job)
        if worker.retired:
            released = asyncio.create_task(self.fleet.release(worker))
            self._tasks.add(released)
            released.add_done_callback(self._tasks.discard)
        if task.cancelled():
            self.waiting.used(job, self._clock() - run.began)
            self._pump(worker)
        else:
            self._after(run, task.result())

    def _after(self, run: Run, outcome: Outcome) -> None:
        job, now = run.job, self._clock()
        self.waiting.used(job, now - run.began)
        self._learn_of_fetch(job, outcome, now)
        if isinstance(outcome, Drawn):
            self.waiting.outlook.observe(job, run.worker, now - run.began, now, had=run.had)
            self.faults.drawn(job, run)
            # The worker shall not wait until its image is on its way to the client.
            self._pump(run.worker)
        if isinstance(outcome, Lost):
            self._lost(run, outcome.error)
        if job.state is JobState.RUNNING:
            if isinstance(outcome, Refused):
                self._rest(run)
            if isinstance(outcome, Drawn | Failed) or job not in self._runs:
                self._settle(run, outcome)
        self._pump(run.worker)

    def _learn_of_fetch(self, job: Job, outcome: Outcome, now: float) -> None:
        if isinstance(outcome, Drawn) and outcome.result.HasField("fetch"):
            job.fetched = seconds(outcome.result.fetch)
            self.waiting.outlook.fetched(job.fetched, found=True, now=now)
        elif isinstance(outcome, StartMissing) or (job.start and _hung(outcome)):
            self.waiting.outlook.fetched(now - job.began, found=False, now=now)

    def _began(self, job: Job, worker: Worker) -> None:
        worker.began()
        self.waiting.outlook.began(job)

    def _heard(self, run: Run) -> None:
        run.heard = self._clock()

    def _freed(self, run: Run) -> None:
        """Its last step is done: the worker takes another while the image is decoded and sent."""
        run.worker.each(self._clock())
        run.worker.finishing.add(run.job)
        self._pump(run.worker)

    def _settle(self, run: Run, outcome: Outcome) -> None:
        job, worker = run.job, run.worker
        if isinstance(outcome, Drawn):
            job.state, job.worker = JobState.ENDED, worker.name
            self._stop(job)
            job.sink.finished(job, outcome.result)
        elif isinstance(outcome, Failed):
            late = isinstance(outcome.error, DeadlineMissed)
            self.waiting.fail(job, too_late(job) if late else outcome.error)
            self._stop(job)
        elif isinstance(outcome, StartMissing | LatentsRefused):
            self._without_latents(job, worker, outcome)
        elif isinstance(outcome, Refused):
            self.waiting.again(job)
        elif isinstance(outcome, Lost):
            self._after_loss(job, outcome.error)

    def _stop(self, job: Job) -> None:
        """What still runs of it is of no use."""
        for run in self._runs.get(job, ()):
            run.cancel()

    def _rest(self, run: Run) -> None:
        """A worker took nothing: that was no attempt, and it is left alone for a moment."""
        run.job.attempts -= 1
        run.worker.refused()
        self._after_rest(run.worker)

    def _without_latents(
        self, job: Job, worker: Worker, outcome: StartMissing | LatentsRefused
    ) -> None:
        """Nothing was begun: have it drawn without what was not to be had."""
        job.attempts -= 1
        if isinstance(outcome, StartMissing):
            job.lose(outcome.start)
        else:
            log.warning("worker %s refuses the latents of %s: %s", worker.name, job.request_id,
                        outcome.error)  # fmt: skip
            job.starts, job.keeping = {}, None
        self.waiting.again(job)

    def _after_rest(self, worker: Worker) -> None:
        """Bind what waits once the worker's rest is over; loops may fire a little early."""
        if worker.rest > 0:
            asyncio.get_running_loop().call_later(worker.rest, self._after_rest, worker)
        else:
            self._pump(worker)

    def _lost(self, run: Run, error: ArgusError) -> None:
        """Doubt the worker; where the prompt is to blame, nobody shall draw it any more."""
        job = run.job
        if not self.faults.lost(job, run, error):
            return
        refusal, known = quarantined(self.faults.held_for(job)), fingerprint(job)
        waiting = [e.item for v in self.queues.variants() for e in self.queues.entries(v)]
        for other in [*waiting, *self._runs, job]:
            if other.state is not JobState.ENDED and fingerprint(other) == known:
                self.fail(other, refusal)

    def _after_loss(self, job: Job, error: ArgusError) -> None:
        if job.attempts < self._spec.router.max_attempts:
            self.waiting.again(job)
        elif isinstance(error, Unavailable):
            lost = f"begun {job.attempts} times, every time lost: {error}"
            self.waiting.fail(job, Unavailable(lost))
        else:
            self.waiting.fail(job, error)

    def _look_round(self) -> None:
        """Give up what nothing is heard of, and have drawn again what is late, where it pays."""
        self._round, now = None, self._clock()
        for run in [run for runs in self._runs.values() for run in runs]:
            if now - run.heard > run.patience and not run.given_up:
                run.given_up = True
                run.cancel()
            elif not run.given_up and len(self._runs[run.job]) == 1 and not len(self.queues):
                if run.job.attempts >= self._spec.router.max_attempts:
                    continue
                if (helper := self.faults.helper(run)) is not None:
                    self._begin(run.job, helper)
        if self._runs:
            self._round = asyncio.get_running_loop().call_later(_ROUND, self._look_round)

    def _expect(self) -> None:
        """Have the expiry timer fire when the nearest deadline of those who wait is over."""
        if (nearest := self.queues.next_deadline()) is None:
            return
        loop = asyncio.get_running_loop()
        at = loop.time() + max(0.0, nearest - self._clock())
        if self._expiry is not None:
            # Not the timer's own `when`: what uvloop gives for a moment that is over has none.
            if self._expiry[0] <= at:
                return
            self._expiry[1].cancel()
        self._expiry = at, loop.call_at(at, self._expire)

    def _expire(self) -> None:
        self._expiry = None
        self.waiting.expire()
        self._expect()


def _hung(outcome: Outcome) -> bool:
    """Whether the time was over before the first step, as it is where a fetch hangs."""
    if not isinstance(outcome, Failed) or outcome.begun:
        return False
    return isinstance(outcome.error, DeadlineMissed)
