"""A router over hand-driven workers, and a router's decisions in virtual time."""

from __future__ import annotations

import asyncio
import itertools
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import inf

import aiohttp
import grpc

from argus_core.choice import Policy, PricePolicy
from argus_core.errors import ArgusError, NotFound, NotHeld
from argus_core.queue import Rank
from argus_core.spec import ArgusCluster, parse_cluster
from argus_protos.v1 import cluster_pb2, images_pb2, predictor_pb2, worker_pb2
from argus_protos.v1.control_pb2_grpc import ControlServiceStub
from argus_protos.v1.images_pb2_grpc import ImageServiceStub
from argus_protos.v1.predictor_pb2_grpc import (
    PredictorServiceServicer,
    add_PredictorServiceServicer_to_server,
)
from argus_protos.v1.worker_pb2_grpc import (
    WorkerServiceServicer,
    add_WorkerServiceServicer_to_server,
)
from argus_router.fleet import Worker
from argus_router.job import Job, JobState
from argus_router.request import Request, agree
from argus_router.router import Router
from argus_router.waiting import Waiting, too_late
from argus_rpc.channel import open_channel
from argus_rpc.convert import duration
from argus_rpc.peers import Peers
from argus_rpc.server import Server
from argus_worker.many import Many
from helpers import eventually

READY = cluster_pb2.WORKER_PHASE_READY
DRAINING = cluster_pb2.WORKER_PHASE_DRAINING
PNG = b"\x89PNG\r\n\x1a\n and the rest"


LONG = {"best": 40.0, "good": 20.0, "quick": 2.0}
"""Seconds by level for what is decided by the clock on the wall: long against what a slow machine
may take for a request, and nobody waits for them."""


def cluster_of(
    *, router=None, slo=None, seconds=None, store=None, batches=None, **spec
) -> ArgusCluster:
    """Two variants, three levels: `best` and `good` by large, `quick` by tiny.

    Images take 2, 1 and 0.1 s, or what `seconds` tells by level. With `store`, fields of a latent
    store, `begun` is there too: `best` with half of its steps skipped, in 0.5 s. `batches` are told
    by level.
    """
    takes = {"best": 2.0, "good": 1.0, "quick": 0.1, "begun": 0.5} | (seconds or {})
    cached = {} if store is None else {"latentStore": {"url": "directory:latents", **store}}

    def level(name, variant, steps, quality, skipped=0):
        return {
            "name": name,
            "variant": variant,
            "steps": steps,
            "skippedSteps": skipped,
            "quality": quality,
            "seconds": {"cpu": takes[name]},
            "batches": {"cpu": batches[name]} if batches and name in batches else {},
        }

    return parse_cluster(
        {
            "apiVersion": "argus.dev/v1alpha1",
            "kind": "ArgusCluster",
            "metadata": {"name": "test"},
            "spec": {
                "slo": {"deadlineSeconds": 20.0, **(slo or {})},
                "pools": [{"name": "cpu", "workers": 2}],
                "variants": [
                    {"name": "large", "model": "builtin:shapes-large", "family": "shapes"},
                    {"name": "tiny", "model": "builtin:shapes-tiny", "family": "shapes"},
                ],
                "ladder": [
                    level("best", "large", 20, 1.0),
                    *([] if store is None else [level("begun", "large", 20, 0.95, 10)]),
                    level("good", "large", 8, 0.9),
                    level("quick", "tiny", 4, 0.6),
                ],
                "defaultSize": {"width": 32, "height": 32},
                "router": router or {},
                **cached,
                **spec,
            },
        }
    )


@dataclass
class Call:
    """An Execute in progress; the test tells it what to do."""

    request: worker_pb2.ExecuteRequest
    orders: asyncio.Queue[object] = field(default_factory=asyncio.Queue)
    cancelled: bool = False

    def step(self, step: int, *, preview: bool = False) -> None:
        """Report a step."""
        progress = worker_pb2.ExecuteProgress(step=step, steps=self.request.schedule.steps)
        if preview:
            progress.preview.CopyFrom(image_of(self.request))
        self.orders.put_nowait(worker_pb2.ExecuteResponse(progress=progress))

    def finish(self, fetch: float = 0.001) -> None:
        """Deliver the image; `fetch` is how long its start took, if it had one."""
        result = worker_pb2.ExecuteResult(image=image_of(self.request))
        if self.request.HasField("start"):
            result.fetch.CopyFrom(duration(fetch))
        self.orders.put_nowait(worker_pb2.ExecuteResponse(result=result))

    def fail(self, error: ArgusError) -> None:
        """End with an error."""
        self.orders.put_nowait(error)


def image_of(request: worker_pb2.ExecuteRequest) -> cluster_pb2.Image:
    """What the scripted worker draws: bytes that name the seed."""
    return cluster_pb2.Image(
        format=request.format, size=request.size, data=PNG + str(request.seed).encode()
    )


def space_of(variant: str) -> str:
    """What the scripted workers name the space of a variant's latents."""
    return f"variant={variant};model=drawn"


KEY = "0123456789abcdef" * 2
"""Of a latent in the store."""
EMBEDDING = struct.pack("<4e", 0.5, 0.5, -0.5, 0.5)


class ScriptedPredictor(PredictorServiceServicer):
    """Answers what the test tells, and remembers what it was asked."""

    def __init__(self, **qualities: float) -> None:
        self.qualities = qualities
        self.starts: dict[str, predictor_pb2.Start] = {}
        self.captures: dict[str, list[int]] = {}
        self.asked: list[predictor_pb2.PredictRequest] = []
        self.labels: list[predictor_pb2.Label] = []
        self.error: ArgusError | None = None

    def offer(self, level: str, *, key: str = KEY, similarity: float = 0.9, step: int = 10) -> None:
        """Have a start for a level."""
        start = predictor_pb2.Start(key=key, similarity=similarity, step=step)
        self.starts[level] = start

    async def Predict(self, request, context):
        self.asked.append(request)
        if self.error is not None:
            raise self.error
        return predictor_pb2.PredictResponse(
            qualities=[
                predictor_pb2.LevelQuality(
                    level=level,
                    quality=quality,
                    start=self.starts.get(level),
                    capture_steps=self.captures.get(level, []),
                )
                for level, quality in self.qualities.items()
            ],
            model_version="v1",
            embedding=EMBEDDING if request.with_embedding else b"",
            encoder="scripted",
        )

    async def PredictMany(self, request, context):
        answers = []
        for one in request.requests:
            try:
                response = await self.Predict(one, context)
            except ArgusError as error:
                answers.append(predictor_pb2.PredictAnswer(refused=error.code))
            else:
                answers.append(predictor_pb2.PredictAnswer(response=response))
        return predictor_pb2.PredictManyResponse(answers=answers)

    async def AddLabels(self, request, context):
        self.labels.extend(request.labels)
        return predictor_pb2.AddLabelsResponse()


@asynccontextmanager
async def predicting(
    predictor: ScriptedPredictor, *, peers: Peers | None = None, port: int = 0
) -> AsyncIterator[str]:
    """The predictor on loopback; its address. `peers` may speak with it; None for everybody."""
    server = Server(
        address=f"127.0.0.1:{port}",
        credentials=peers.asked() if peers else None,
        servicers=[(add_PredictorServiceServicer_to_server, predictor)],
        services=["argus.v1.PredictorService"],
    )
    try:
        yield f"127.0.0.1:{await server.start()}"
    finally:
        await server.stop(0)


class ScriptedWorker(WorkerServiceServicer):
    """Reports the state that it is given, and holds each call until the test orders an end."""

    def __init__(self, name: str, *variants: str, slots: int = 1) -> None:
        self.state = cluster_pb2.WorkerState(
            worker=name,
            pool="cpu",
            phase=READY,
            loadout=variants,
            slots=slots,
            latent_spaces={variant: space_of(variant) for variant in variants},
        )
        self.old = False
        """Whether it is of a version that takes one image a call."""
        self.missing: set[str] = set()
        """Keys of latents that its store does not have."""
        self.scored: list[worker_pb2.ScoreRequest] = []
        self.needs_reference = False
        self.refuse_scores: ArgusError | None = None
        self.calls: list[Call] = []
        self.refusals = 0
        self.misses = 0
        self.refuse: Callable[[], ArgusError | None] = lambda: None
        self.automatic = False
        """Whether calls end well by themselves."""
        self.seconds = 0.0
        """That an image takes then: at once unless told otherwise."""
        self._changes: set[asyncio.Event] = set()
        self.address = ""
        self.peers: Peers | None = None
        """Who may speak with it, from the next start on."""

    def report(self, **fields: object) -> None:
        """Change the reported state."""
        for name, value in fields.items():
            if name == "loadout":
                del self.state.loadout[:]
                self.state.loadout.extend(value)
            else:
                setattr(self.state, name, value)
        for change in self._changes:
            change.set()

    @property
    def live(self) -> list[Call]:
        """Calls that have not been cancelled."""
        return [call for call in self.calls if not call.cancelled]

    async def Execute(self, request, context):
        if (error := self.refuse()) is not None:
            self.refusals += 1
            raise error
        if request.variant not in self.state.loadout:
            raise NotHeld(f"{request.variant} is not held")
        if request.start.key in self.missing:
            self.misses += 1
            raise NotFound(f"no latent {request.start.key}")
        call = Call(request)
        self.calls.append(call)
        if self.automatic:
            asyncio.get_running_loop().call_later(self.seconds, call.finish)
        try:
            started = worker_pb2.ExecuteStarted(worker=self.state.worker)
            yield worker_pb2.ExecuteResponse(started=started)
            while True:
                order = await call.orders.get()
                if isinstance(order, ArgusError):
                    raise order
                yield order
                if order.WhichOneof("event") == "result":
                    return
        except (asyncio.CancelledError, GeneratorExit):
            call.cancelled = True
            raise

    async def ExecuteMany(self, requests, context):
        if self.old:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "what is that?")
        async for message in Many(self.Execute).serve(requests, context):
            yield message

    async def Score(self, request, context):
        """The last image has 0.9, each before it a tenth less."""
        if self.refuse_scores is not None:
            raise self.refuse_scores
        self.scored.append(request)
        return worker_pb2.ScoreResponse(
            scores=[0.9 - 0.1 * n for n in reversed(range(len(request.images)))],
            comparison=worker_pb2.COMPARISON_DIFFERENCE,
            scale=1.0,
            needs_reference=self.needs_reference,
        )

    async def Watch(self, request, context):
        change = asyncio.Event()
        self._changes.add(change)
        try:
            while True:
                yield worker_pb2.WatchResponse(state=self.state)
                await change.wait()
                change.clear()
        finally:
            self._changes.discard(change)

    async def start(self, port: int = 0) -> None:
        """Listen; again on the same port after `die`."""
        self._server = Server(
            address=f"127.0.0.1:{port}",
            servicers=[(add_WorkerServiceServicer_to_server, self)],
            services=["argus.v1.WorkerService"],
            credentials=self.peers.asked() if self.peers else None,
        )
        self.address = f"127.0.0.1:{await self._server.start()}"

    async def die(self) -> None:
        """Vanish: every call is cut off."""
        await self._server.stop(0)


@dataclass
class Stage:
    """A running router and its clients."""

    router: Router
    images: ImageServiceStub
    control: ControlServiceStub
    http: str
    session: aiohttp.ClientSession
    roster: asyncio.Queue[frozenset[str]]
    grpc: str

    def draw(
        self, prompt: str = "a red circle", *, timeout: float | None = 20.0, tenant=None, **fields
    ):
        """Begin a Generate; collect it with `collect`."""
        return self.images.Generate(
            images_pb2.GenerateRequest(prompt=prompt, **fields),
            timeout=timeout,
            metadata=(("argus-tenant", tenant),) if tenant is not None else None,
        )

    async def metric(self, line: str) -> float:
        """The value of a metric with its labels, as it is exposed; 0 where it is not."""
        async with self.session.get("/metrics") as response:
            told = (await response.text()).splitlines()
        return next((float(t.rpartition(" ")[2]) for t in told if t.startswith(line + " ")), 0.0)

    @property
    def waiting(self) -> int:
        """Jobs in the queues."""
        return len(self.router.dispatcher.queues)

    @property
    def running(self) -> int:
        """Images that the router believes its workers to draw."""
        return sum(len(worker.running) for worker in self.router.dispatcher.fleet)

    async def knows(self, *workers: ScriptedWorker) -> None:
        """Wait until the router has heard from each as it is now."""
        await eventually(
            lambda: all(
                any(mine.state == worker.state for mine in self.router.dispatcher.fleet)
                for worker in workers
            )
        )


async def collect(call) -> list[images_pb2.GenerateResponse]:
    """The events of a call that were not read yet."""
    events = []
    while (event := await call.read()) is not grpc.aio.EOF:
        events.append(event)
    return events


def kinds(events) -> list[str]:
    """What happened, by kind."""
    return [event.WhichOneof("event") for event in events]


async def following(queue: asyncio.Queue[frozenset[str]]) -> AsyncIterator[frozenset[str]]:
    """A roster that the test changes."""
    while True:
        yield await queue.get()


@asynccontextmanager
async def staged(*workers: ScriptedWorker, cluster=None, predictor=None, ready=True, peers=None):
    """A router over these workers, on loopback; `peers` is how it meets them."""
    for worker in workers:
        await worker.start()
    roster: asyncio.Queue[frozenset[str]] = asyncio.Queue()
    roster.put_nowait(frozenset(worker.address for worker in workers))
    workers_at = following(roster)
    router = Router(cluster or cluster_of(), workers=workers_at, predictor=predictor, peers=peers)
    grpc_address, http = await router.start()
    async with aiohttp.ClientSession(base_url=http) as session, open_channel(grpc_address) as chan:
        stage = Stage(
            router=router,
            images=ImageServiceStub(chan),
            control=ControlServiceStub(chan),
            http=http,
            session=session,
            roster=roster,
            grpc=grpc_address,
        )
        try:
            if ready and workers:
                await stage.knows(*workers)
            yield stage
        finally:
            await router.stop(0)
            for worker in workers:
                with suppress(Exception):
                    await worker.die()


class Told:
    """What a job's client would hear."""

    def __init__(self) -> None:
        self.levels: list[str] = []
        self.result: worker_pb2.ExecuteResult | None = None
        self.error: ArgusError | None = None

    def accepted(self, job: Job) -> None:
        self.levels.append(job.settled.level.name)

    def progressed(self, job: Job, progress: worker_pb2.ExecuteProgress) -> None:
        raise NotImplementedError

    def finished(self, job: Job, result: worker_pb2.ExecuteResult) -> None:
        self.result = result

    def failed(self, job: Job, error: ArgusError) -> None:
        self.error = error


class Rehearsal:
    """A router's decisions in virtual time: real queues, prices and promises, and no wires.

    Images take `pace` times what the document says, or what `takes` tells of a job; a worker draws
    as many at once as it has `slots`.
    """

    def __init__(
        self,
        *loadouts: tuple[str, ...],
        cluster: ArgusCluster | None = None,
        pace: float = 1.0,
        takes: Callable[[Job], float] | None = None,
        policy: Policy | None = None,
        slots: int = 1,
    ) -> None:
        self._slots = slots
        self.now, self.cluster = 0.0, cluster or cluster_of()
        self.pace, self._takes = pace, takes or self._as_told
        self.waiting = Waiting(
            spec=self.cluster.spec, policy=policy or PricePolicy(), clock=lambda: self.now
        )
        self.workers = [self._worker(f"w{i}", held) for i, held in enumerate(loadouts)]
        self.drawn: list[Job] = []
        """In the order in which they were begun."""
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self.waiting.meet(self.workers)

    def at(self, when: float, do: Callable[[], None]) -> None:
        """Have something happen."""
        heappush(self._agenda, (when, next(self._numbers), do))

    def run(self, until: float = inf) -> None:
        """Let time pass until nothing is left to happen."""
        while self._agenda and self._agenda[0][0] <= until:
            self.now, _, do = heappop(self._agenda)
            do()
        self.now = max(self.now, until) if until < inf else self.now

    def ask(
        self, prompt: str = "a red circle", *, qualities=None, starts=None, **fields: object
    ) -> list[Job]:
        """A request arrives now; returns its jobs, each with a `Told` as its sink.

        Raises:
            ArgusError: it is refused.
        """
        terms = agree(Request(prompt=prompt, **fields), self.cluster, call_deadline=None)
        levels = [level for level in self.cluster.spec.ladder if not level.skipped_steps]
        jobs = [
            Job(
                request_id=f"r{next(self._numbers)}",
                index=index,
                terms=terms,
                seed=index,
                rank=Rank(int(terms.band), self.now + terms.deadline, next(self._numbers)),
                arrived=self.now,
                ready=self.now,
                qualities=qualities or {level.name: level.quality for level in levels},
                sink=Told(),
                starts=starts or {},
            )
            for index in range(terms.request.count)
        ]
        self.waiting.submit(jobs)
        for job in jobs:
            self.at(job.deadline, self._expire)
        self._pump()
        return jobs

    def hold(self, worker: int, *loadout: str) -> None:
        """A worker holds other variants from now on; without any it is gone."""
        state = self.workers[worker].state
        state.phase = READY if loadout else DRAINING
        del state.loadout[:]
        state.loadout.extend(loadout)
        self.workers[worker].state = state
        self.waiting.meet(self.workers)
        self._pump()

    def _expire(self) -> None:
        self.waiting.expire()

    def _pump(self) -> None:
        for worker in self.workers:
            while worker.free and (job := self.waiting.next(worker)) is not None:
                self._bind(job, worker)

    def _bind(self, job: Job, worker: Worker) -> None:
        job.state, job.worker, job.began = JobState.RUNNING, worker.name, self.now
        job.attempts += 1
        worker.running[job] = None
        self.drawn.append(job)
        self.at(self.now + self._takes(job), lambda: self._end(job, worker))

    def _end(self, job: Job, worker: Worker) -> None:
        del worker.running[job]
        self.waiting.outlook.began(job)
        self.waiting.outlook.observe(job, worker, self.now - job.began, self.now)
        if self.now <= job.deadline:
            job.state = JobState.ENDED
            job.sink.finished(job, worker_pb2.ExecuteResult())
        else:
            self.waiting.fail(job, too_late(job))
        self._pump()

    def _as_told(self, job: Job) -> float:
        return self.pace * job.settled.level.seconds["cpu"]

    def _worker(self, name: str, loadout: tuple[str, ...]) -> Worker:
        worker = Worker(name, clock=lambda: self.now)
        worker.state = cluster_pb2.WorkerState(
            worker=name,
            pool="cpu",
            phase=READY,
            loadout=loadout,
            slots=self._slots,
            latent_spaces={variant: space_of(variant) for variant in loadout},
        )
        return worker
