"""A router over hand-driven workers: the peer whose faults the test decides."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import aiohttp
import grpc

from argus_core.errors import ArgusError, NotHeld
from argus_core.spec import ArgusCluster, parse_cluster
from argus_protos.v1 import cluster_pb2, images_pb2, worker_pb2
from argus_protos.v1.control_pb2_grpc import ControlServiceStub
from argus_protos.v1.images_pb2_grpc import ImageServiceStub
from argus_protos.v1.worker_pb2_grpc import (
    WorkerServiceServicer,
    add_WorkerServiceServicer_to_server,
)
from argus_router.router import Router
from argus_rpc.channel import open_channel
from argus_rpc.server import Server
from helpers import eventually

READY = cluster_pb2.WORKER_PHASE_READY
DRAINING = cluster_pb2.WORKER_PHASE_DRAINING
PNG = b"\x89PNG\r\n\x1a\n and the rest"


def cluster_of(*, router=None, slo=None) -> ArgusCluster:
    """Two variants, three levels: `best` and `good` by large, `quick` by tiny."""

    def level(name, variant, steps, quality, seconds):
        return {
            "name": name,
            "variant": variant,
            "steps": steps,
            "quality": quality,
            "seconds": {"cpu": seconds},
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
                    level("best", "large", 20, 1.0, 2.0),
                    level("good", "large", 8, 0.9, 1.0),
                    level("quick", "tiny", 4, 0.6, 0.1),
                ],
                "defaultSize": {"width": 32, "height": 32},
                "router": router or {},
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

    def finish(self) -> None:
        """Deliver the image."""
        result = worker_pb2.ExecuteResult(image=image_of(self.request))
        self.orders.put_nowait(worker_pb2.ExecuteResponse(result=result))

    def fail(self, error: ArgusError) -> None:
        """End with an error."""
        self.orders.put_nowait(error)


def image_of(request: worker_pb2.ExecuteRequest) -> cluster_pb2.Image:
    """What the scripted worker draws: bytes that name the seed."""
    return cluster_pb2.Image(
        format=request.format, size=request.size, data=PNG + str(request.seed).encode()
    )


class ScriptedWorker(WorkerServiceServicer):
    """Reports the state that it is given, and holds each call until the test orders an end."""

    def __init__(self, name: str, *variants: str, slots: int = 1) -> None:
        self.state = cluster_pb2.WorkerState(
            worker=name, pool="cpu", phase=READY, loadout=variants, slots=slots
        )
        self.calls: list[Call] = []
        self.refusals = 0
        self.refuse: Callable[[], ArgusError | None] = lambda: None
        self.automatic = False
        """Whether calls end well by themselves."""
        self.seconds = 0.0
        """That an image takes then: at once unless told otherwise."""
        self._changes: set[asyncio.Event] = set()
        self.address = ""

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

    def draw(self, prompt: str = "a red circle", *, timeout: float | None = 20.0, **fields):
        """Begin a Generate; collect it with `collect`."""
        return self.images.Generate(
            images_pb2.GenerateRequest(prompt=prompt, **fields), timeout=timeout
        )

    @property
    def waiting(self) -> int:
        """Jobs in the queues."""
        return len(self.router.dispatcher.queues)

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
async def staged(*workers: ScriptedWorker, cluster=None, predictor=None, ready=True):
    """A router over these workers, on loopback."""
    for worker in workers:
        await worker.start()
    roster: asyncio.Queue[frozenset[str]] = asyncio.Queue()
    roster.put_nowait(frozenset(worker.address for worker in workers))
    router = Router(cluster or cluster_of(), workers=following(roster), predictor=predictor)
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
