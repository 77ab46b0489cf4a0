"""The client against a peer whose faults the test decides."""

import asyncio
import io
import random
from contextlib import asynccontextmanager

import pytest
from PIL import Image

from argus_client import Accepted, AsyncClient, Client, Order, Picture
from argus_client.retry import Retry
from argus_client.workers import assign_and_wait
from argus_core.errors import DeadlineMissed, Exhausted, InvalidRequest, Unavailable
from argus_protos.v1 import cluster_pb2, images_pb2, worker_pb2
from argus_protos.v1.images_pb2_grpc import ImageServiceServicer, add_ImageServiceServicer_to_server
from argus_protos.v1.worker_pb2_grpc import (
    WorkerServiceServicer,
    add_WorkerServiceServicer_to_server,
)
from argus_rpc.convert import duration, seconds
from argus_rpc.server import Server

QUICK = Retry(attempts=3, first_delay=0.01, longest_delay=0.02)
ORDER = Order(prompt="a red circle", seed=3, deadline=20.0)


def png():
    file = io.BytesIO()
    Image.new("RGB", (4, 2), "red").save(file, "PNG")
    return file.getvalue()


class Peer(ImageServiceServicer):
    """Answers each call by the next of `script`: events told, then an error, or none."""

    def __init__(self, *script):
        self.script, self.requests, self.cancelled = list(script), [], asyncio.Event()

    async def Generate(self, request, context):
        self.requests.append(request)
        events, error = self.script.pop(0)
        for event in events:
            yield event
        if error == "hang":
            try:
                await asyncio.sleep(600)
            finally:
                self.cancelled.set()
        elif error:
            raise error


def accepted(index=0):
    return images_pb2.GenerateResponse(index=index, accepted=images_pb2.Accepted(request_id="r"))


def result(index=0):
    timing = images_pb2.Timing(
        total=duration(2), queue=duration(1), denoise=duration(0.5), decode=duration(0.25)
    )
    drawn = images_pb2.Result(
        image=cluster_pb2.Image(data=png()),
        decision=images_pb2.Decision(level="best", reason="why"),
        timing=timing,
        seed=3 + index,
        worker="w0",
        attempts=1,
        schedule=cluster_pb2.Schedule(steps=8),
    )
    return images_pb2.GenerateResponse(index=index, result=drawn)


@asynccontextmanager
async def serving(*servicers, services=()):
    server = Server(address="127.0.0.1:0", servicers=servicers, services=services)
    port = await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


@asynccontextmanager
async def client_of(peer):
    async with (
        serving((add_ImageServiceServicer_to_server, peer)) as address,
        AsyncClient(address, retry=QUICK, rng=random.Random(1)) as client,
    ):
        yield client


async def test_images_come_in_their_order_with_what_was_done():
    async with client_of(Peer(([accepted(1), accepted(0), result(1), result(0)], None))) as client:
        heard = []
        first, second = await client.draw(ORDER, on_accepted=heard.append)
    assert (first.index, second.index, second.seed) == (0, 1, 4)
    assert (first.decision.level, first.steps, first.worker) == ("best", 8, "w0")
    assert (first.timing.total, first.timing.queue, first.timing.drawing) == (2, 1, 0.75)
    assert first.image().size == (4, 2)
    assert sorted(event.index for event in heard) == [0, 1]


async def test_order_travels_whole():
    peer = Peer(([result()], None))
    order = Order(
        prompt="p", negative_prompt="n", size=(8, 16), count=2, seed=0, deadline=9.0,
        minimum_quality=0.0, level="best", explain=True,
    )  # fmt: skip
    async with client_of(peer) as client:
        await client.draw(order)
    (request,) = peer.requests
    assert (request.prompt, request.negative_prompt, request.count) == ("p", "n", 2)
    assert (request.size.width, request.size.height) == (8, 16)
    # Zero is not absence.
    assert request.HasField("seed")
    assert request.HasField("minimum_quality")
    assert (request.level, request.explain) == ("best", True)
    assert 8 < seconds(request.deadline) <= 9


async def test_order_of_nothing_leaves_all_to_the_cluster():
    peer = Peer(([result()], None))
    async with client_of(peer) as client:
        await client.draw(Order(prompt="p"))
    (request,) = peer.requests
    for field in ("size", "seed", "deadline", "minimum_quality"):
        assert not request.HasField(field), field


async def test_refused_request_is_sent_again_after_the_time_named():
    peer = Peer(([], Exhausted("full", retry_after=0.2)), ([result()], None))
    async with client_of(peer) as client:
        began = asyncio.get_running_loop().time()
        assert len(await client.draw(ORDER)) == 1
        assert asyncio.get_running_loop().time() - began >= 0.2
    assert len(peer.requests) == 2
    first, second = (seconds(request.deadline) for request in peer.requests)
    assert second <= first - 0.2


async def test_retries_end_with_the_servers_error():
    peer = Peer(*[([], Unavailable("away", retry_after=0.01))] * 3)
    async with client_of(peer) as client:
        with pytest.raises(Unavailable, match="away"):
            await client.draw(ORDER)
    assert len(peer.requests) == 3


async def test_wrong_request_is_not_sent_again():
    peer = Peer(([], InvalidRequest.one("prompt", "must not be empty")))
    async with client_of(peer) as client:
        with pytest.raises(InvalidRequest) as caught:
            await client.draw(ORDER)
    assert caught.value.violations[0].field == "prompt"


async def test_drawing_that_broke_off_begins_again():
    peer = Peer(([accepted()], Unavailable("lost", retry_after=0.01)), ([result()], None))
    async with client_of(peer) as client:
        assert len(await client.draw(ORDER)) == 1


async def test_events_that_were_told_are_not_told_twice():
    peer = Peer(
        ([], Unavailable("away", retry_after=0.01)),
        ([accepted()], Unavailable("lost", retry_after=0.01)),
    )
    async with client_of(peer) as client:
        events = client.generate(ORDER)
        assert isinstance(await anext(events), Accepted)
        with pytest.raises(Unavailable, match="lost"):
            await anext(events)
    assert len(peer.requests) == 2


async def test_silent_server_is_given_up_after_the_deadline():
    async with client_of(Peer(([], "hang"))) as client:
        with pytest.raises(DeadlineMissed):
            await client.draw(Order(prompt="p", deadline=0.2))


async def test_closing_the_events_cancels_the_request():
    peer = Peer(([accepted()], "hang"))
    async with client_of(peer) as client:
        events = client.generate(ORDER)
        await anext(events)
        await events.aclose()
        await asyncio.wait_for(peer.cancelled.wait(), 10)


async def test_nobody_listening_is_unavailable():
    async with AsyncClient("127.0.0.1:1", retry=QUICK) as client:
        with pytest.raises(Unavailable):
            await client.describe(timeout=5)


async def test_client_draws_without_asyncio():
    def use(address):
        with Client(address, retry=QUICK) as client:
            (image,) = client.draw(ORDER)
            return image.image().size, [type(event) for event in client.generate(ORDER)]

    peer = Peer(([result()], None), ([accepted(), result()], None))
    async with serving((add_ImageServiceServicer_to_server, peer)) as address:
        size, kinds = await asyncio.to_thread(use, address)
    assert size == (4, 2)
    assert kinds == [Accepted, Picture]


class Switching(WorkerServiceServicer):
    """A worker that answers an assignment with generation 5, then tells `states`."""

    def __init__(self, *states):
        self.states, self.assigned = states, []

    async def Assign(self, request, context):
        self.assigned.append(list(request.loadout))
        return worker_pb2.AssignResponse(generation=5)

    async def Watch(self, request, context):
        for generation, phase, reason in self.states:
            state = cluster_pb2.WorkerState(
                worker="w0", generation=generation, phase=phase, reason=reason, assigned=["x"]
            )
            yield worker_pb2.WatchResponse(state=state)
        if self.states[-1][2] == "slow":
            await asyncio.sleep(600)


READY, LOADING, FAILED = (
    cluster_pb2.WORKER_PHASE_READY,
    cluster_pb2.WORKER_PHASE_LOADING,
    cluster_pb2.WORKER_PHASE_FAILED,
)


async def switch(*states, timeout=20.0):
    worker = Switching(*states)
    async with serving((add_WorkerServiceServicer_to_server, worker)) as address:
        state = await assign_and_wait(address, ["tiny"], timeout=timeout)
    assert worker.assigned == [["tiny"]]
    return state


async def test_assignment_is_over_when_its_own_generation_is_ready():
    state = await switch((4, READY, "before"), (5, LOADING, "loading"), (5, READY, ""))
    assert (state.generation, state.phase) == (5, READY)


@pytest.mark.parametrize(
    ("states", "error", "words"),
    [
        ([(5, FAILED, "no such folder")], Unavailable, "no such folder"),
        ([(5, LOADING, ""), (6, READY, "")], Unavailable, "was told to hold x meanwhile"),
        ([(5, LOADING, "")], Unavailable, "stopped telling"),
    ],
)
async def test_assignment_that_comes_to_nothing_says_why(states, error, words):
    with pytest.raises(error, match=words):
        await switch(*states)


async def test_assignment_that_takes_too_long_is_given_up():
    with pytest.raises(DeadlineMissed, match="not ready within 0.5 s"):
        await switch((5, LOADING, "slow"), timeout=0.5)
