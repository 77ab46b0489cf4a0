"""What both fronts call: draw a request, describe the cluster, drain.

A request is checked, its quality predicted, its images made jobs and submitted; its events are
read until the last. Whoever stops reading cancels what is left.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import uuid
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable
from importlib.metadata import PackageNotFoundError, version

from argus_core.errors import (
    ArgusError,
    DeadlineMissed,
    Exhausted,
    InvalidRequest,
    OverQuota,
    Unavailable,
)
from argus_core.queue import Rank
from argus_core.spec import ArgusCluster, Level
from argus_protos.v1 import cluster_pb2, images_pb2
from argus_router import decided, wire
from argus_router.answer import Prediction
from argus_router.dispatch import Dispatcher
from argus_router.drawing import Drawing, Event
from argus_router.fleet import Worker
from argus_router.job import Job
from argus_router.latents import Latents
from argus_router.load import Load, Outcome
from argus_router.metrics import Metrics
from argus_router.plans import Plans
from argus_router.predict import Predictor
from argus_router.prices import cheapest
from argus_router.recall import Recall
from argus_router.request import Request, Terms, agree
from argus_rpc import tracing
from argus_rpc.convert import duration, seconds
from argus_rpc.logs import naming

log = logging.getLogger(__name__)

_CLOSING = "this router is shutting down"
_SEEDS = 2**53
"""Seeds that the router draws are below this, so that JSON's numbers can hold them."""


class Service:
    """The router without its fronts."""

    def __init__(
        self,
        cluster: ArgusCluster,
        *,
        dispatcher: Dispatcher,
        predictor: Predictor,
        load: Load,
        metrics: Metrics,
        clock: Callable[[], float],
        rng: random.Random,
        served: Callable[[Job, cluster_pb2.Image], None] = lambda _job, _image: None,
    ) -> None:
        """`served` hears of every image that is drawn."""
        self.cluster, self.metrics, self.load = cluster, metrics, load
        self.dispatcher, self._predictor = dispatcher, predictor
        self._clock, self._rng, self._served = clock, rng, served
        self._latents = Latents(cluster.spec, lambda: dispatcher.waiting.outlook.crew)
        self._arrivals = itertools.count()
        self._drawings: set[Drawing] = set()
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.draining = False
        self._closed = False
        """Whether the grace of those that were taken is over."""
        self.plan: cluster_pb2.Plan | None = None
        self.plans, self.recall = Plans(), Recall()

    async def draw(
        self, request: Request, *, call_deadline: float | None = None
    ) -> AsyncGenerator[Event]:
        """Draw a request's images; ends after the last. Close it to cancel.

        Args:
            request: unchecked, as a front read it.
            call_deadline: seconds that the transport leaves; None where it does not tell.

        Raises:
            InvalidRequest, Exhausted, Unavailable, DeadlineMissed: as argus.v1 documents.
        """
        if self.draining:
            raise Unavailable(_CLOSING)
        self._under_way += 1
        self._idle.clear()
        try:
            drawing = await self._begin(request, call_deadline)
            self._drawings.add(drawing)
            try:
                async for event in drawing.events():
                    yield event
            finally:
                self._end(drawing)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    async def _begin(self, request: Request, call_deadline: float | None) -> Drawing:
        arrived = self._clock()
        label = self.dispatcher.waiting.tenants.label(request.tenant)
        self.metrics.came(label)
        try:
            terms = agree(request, self.cluster, call_deadline=call_deadline)
            return await self._submit(terms, arrived)
        except ArgusError as error:
            # Its own count may be what is wrong with it.
            count = max(1, min(request.count, 10))
            for _ in range(count):
                self.load.ended_as(_outcome(error))
            band = request.band.name.lower() if request.band else "none"
            self.metrics.turned_away(count, band, _outcome(error))
            if not isinstance(error, OverQuota):
                self.metrics.promises.missed(_outcome(error), count)
            self.metrics.tenant(label, _outcome(error), count)
            raise

    async def _submit(self, terms: Terms, arrived: float) -> Drawing:
        prompt, question = terms.request.prompt, self._latents.question(terms)
        if self._predictor.asks and self.dispatcher.waiting.crowded:
            self._glance(terms, arrived)
        prediction = await self._predictor.predict(prompt, slack=terms.deadline, question=question)
        if self._closed:
            raise Unavailable(_CLOSING)
        self._count(terms, prediction)
        drawing = self._drawing(prediction)
        jobs = self._jobs(terms, prediction, arrived, drawing, latents=True)
        plan_id = self.plan.id if self.plan else 0
        tracing.note(request_id=jobs[0].request_id, plan=str(plan_id or ""))
        drawing.expect(jobs)
        queued = self.queued()
        self.dispatcher.submit(jobs)
        self.recall.arrived(jobs, prediction, plan_id=plan_id, queued=queued)
        if self._rng.random() < self.cluster.spec.router.logged_share:
            decided.tell(jobs[0], prediction, prompts=self.cluster.spec.router.log_prompts)
        return drawing

    def _glance(self, terms: Terms, arrived: float) -> None:
        """Refuse before a prediction what is refused whatever it says: others need the predictor.

        Raises:
            Exhausted: it is refused.
        """
        unasked = self._predictor.unasked
        jobs = self._jobs(terms, unasked, arrived, self._drawing(unasked), latents=False)
        try:
            self.dispatcher.waiting.glance(jobs)
        except ArgusError:
            self.load.arrived(terms.request.count, None, deadline=terms.deadline)
            raise

    def _drawing(self, prediction: Prediction) -> Drawing:
        return Drawing(
            predict_seconds=prediction.seconds,
            clock=self._clock,
            on_result=self._drawn,
            on_failure=self._failed,
        )

    def _jobs(
        self, terms: Terms, prediction: Prediction, arrived: float, sink: Drawing, *, latents: bool
    ) -> list[Job]:
        """A request's images; `latents` for what they may begin from and leave behind."""
        seed = self._rng.randrange(_SEEDS) if terms.request.seed is None else terms.request.seed
        request_id, deadline = uuid.uuid4().hex, arrived + terms.deadline
        return [
            Job(
                **(self._latents.of(terms, prediction, index) if latents else {}),
                request_id=request_id,
                index=index,
                terms=terms,
                seed=seed + index,
                rank=Rank(int(terms.band), deadline, next(self._arrivals)),
                arrived=arrived,
                ready=self._clock(),
                qualities=prediction.qualities,
                model_version=prediction.model_version,
                sink=sink,
                context=naming(request_id),
            )
            for index in range(terms.request.count)
        ]

    def _count(self, terms: Terms, prediction: Prediction) -> None:
        self.metrics.predicted(prediction)
        if prediction.starts and self.dispatcher.waiting.outlook.fetches.closed:
            self.metrics.start_closed()
        qualities = prediction.qualities
        by_level = {
            level.name: qualities.get(level.name, 0.0) for level in self.cluster.spec.ladder
        }
        self.load.arrived(terms.request.count, by_level, deadline=terms.deadline)

    def _end(self, drawing: Drawing) -> None:
        """Cancel what a client that is gone, or that one image failed, has left."""
        for job in drawing.open:
            self.dispatcher.cancel(job)
            self.load.ended_as(Outcome.CANCELLED)
            self._ended(job, Outcome.CANCELLED)
            self.recall.ended(job, Outcome.CANCELLED)
        self._drawings.discard(drawing)

    def _drawn(self, job: Job, timing: images_pb2.Timing, image: cluster_pb2.Image) -> None:
        tracing.note(level=job.settled.level.name, plan=str(self.plan.id) if self.plan else "")
        self.load.ended_as(Outcome.OK)
        self._ended(job, Outcome.OK)
        self.recall.ended(job, Outcome.OK, timing=timing)
        self.metrics.promises.drawn(job.settled.quality)
        drew = sum(seconds(part) for part in (timing.encode, timing.denoise, timing.decode))
        drew += job.fetched
        total, predict = seconds(timing.total), seconds(timing.predict)
        waited = job.began - job.ready
        self.metrics.drawn(
            job,
            total=total,
            queue=predict + waited,
            overhead=total - predict - waited - drew,
            trace=tracing.trace_id(),
        )
        self._served(job, image)

    def _failed(self, job: Job, error: ArgusError) -> None:
        self.load.ended_as(_outcome(error))
        self._ended(job, _outcome(error))
        self.recall.ended(job, _outcome(error), error=str(error))
        self.metrics.promises.missed(_outcome(error))

    def _ended(self, job: Job, outcome: Outcome) -> None:
        self.metrics.ended(job, outcome)
        self.metrics.tenant(self.dispatcher.waiting.tenants.label(job.tenant), outcome)

    def apply(self, plan: cluster_pb2.Plan) -> None:
        """Have a plan in force, and its prices; it must be a valid one."""
        if self.plan is None or _placed(plan) != _placed(self.plan):
            self.metrics.plan_changes.inc()
        self.plan = plan
        variants = (variant.name for variant in self.cluster.spec.variants)
        self.metrics.priced({variant: cheapest(plan, variant) for variant in variants})
        self.metrics.plan.set(plan.id)
        self.dispatcher.apply(plan)

    def describe(self) -> images_pb2.DescribeClusterResponse:
        """What the cluster can draw, with what, and what its workers are doing."""
        spec = self.cluster.spec
        return images_pb2.DescribeClusterResponse(
            name=self.cluster.metadata.name,
            levels=[wire.level_message(level, spec) for level in spec.ladder],
            workers=[worker.state for worker in self.dispatcher.fleet if worker.state],
            plan=self.plan,
            default_deadline=duration(spec.slo.deadline_seconds),
            default_size=wire.size(spec.default_size),
            queued=self.queued(),
            version=_version(),
            slo_target=spec.slo.target,
            shed_loss=spec.planning.shed_loss,
            pools=map(wire.pool, spec.pools),
            seconds=[
                wire.level_seconds(level, gpu_type, measured)
                for level, gpu_type, measured in self._expected()
            ],
        )

    def _expected(self) -> Iterable[tuple[Level, str, float | None]]:
        return self.dispatcher.waiting.outlook.expected(self._clock())

    def queued(self) -> dict[str, int]:
        """Images waiting, by variant; under the empty name those not decided yet."""
        queues = self.dispatcher.queues
        return {variant: queues.count(variant) for variant in queues.variants()}

    @property
    def ready(self) -> bool:
        """Whether requests are welcome: some worker has served, and it is not draining.

        Workers that switch later do not make it unready: requests wait here for them.
        """
        return not self.draining and self.dispatcher.served.is_set()

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """The metrics, with gauges as they stand now; see `Metrics.exposition`."""
        queued = self.queued()
        for variant in self.cluster.spec.variants:
            self.metrics.queue_size.labels(variant.name).set(queued.get(variant.name, 0))
            serve = sum(w.ready and variant.name in w.loadout for w in self.dispatcher.fleet)
            self.metrics.holding.labels(variant.name).set(serve)
        self.metrics.queue_size.labels("none").set(queued.get("", 0))
        closed = self.dispatcher.waiting.outlook.fetches.closed
        self.metrics.starts_open.set(self.cluster.spec.latent_store is not None and not closed)
        self.metrics.took(self._expected())
        states = Counter(_standing(worker) for worker in self.dispatcher.fleet)
        for state in ("ready", "unready", "ejected"):
            self.metrics.workers.labels(state).set(states[state])
        return self.metrics.exposition(accept)

    async def drain(self, grace: float) -> None:
        """Refuse new requests, and give those taken `grace` seconds to end."""
        self.draining = True
        try:
            async with asyncio.timeout(grace):
                await self._idle.wait()
        except TimeoutError:
            log.warning("%d requests did not end in %g s", len(self._drawings), grace)
        self._closed = True
        for drawing in tuple(self._drawings):
            for job in drawing.open:
                self.dispatcher.fail(job, Unavailable(_CLOSING))


def _placed(plan: cluster_pb2.Plan) -> set[tuple[object, ...]]:
    """Who shall hold what."""
    return {(a.pool, *a.loadout, a.workers) for a in plan.allocations}


def _standing(worker: Worker) -> str:
    if worker.ejected:
        return "ejected"
    return "ready" if worker.ready else "unready"


def _outcome(error: ArgusError) -> Outcome:
    if isinstance(error, InvalidRequest):
        return Outcome.INVALID
    if isinstance(error, Exhausted):
        return Outcome.REFUSED
    return Outcome.LATE if isinstance(error, DeadlineMissed) else Outcome.FAILED


def _version() -> str:
    try:
        return version("argus-serving")
    except PackageNotFoundError:
        return "unknown"
