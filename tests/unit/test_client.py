"""The client against a peer whose faults the test decides."""

import asyncio
import io
import random
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from PIL import Image

from argus_client import Accepted, AsyncClient, Client, Order, Picture, Tls
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
from helpers import eventually

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
        self.metadata = []

    async def Generate(self, request, context):
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
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
        prompt="p", negative_prompt="n", size=(8, 16), count=2, seed=0, deadline=90.0,
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
    assert 60 < seconds(request.deadline) <= 90


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


async def test_no_progress_is_asked_for_where_nobody_hears_it():
    peer = Peer(*[([accepted(), result()], None)] * 4)
    async with client_of(peer) as client:
        await client.draw(ORDER)
        await client.draw(ORDER, on_progress=print)
        _ = [event async for event in client.generate(ORDER)]
        _ = [event async for event in client.generate(replace(ORDER, progress=False))]
    assert [request.without_progress for request in peer.requests] == [True, False, False, True]


async def test_progress_comes_with_the_preview_that_was_asked_for():
    def step(number, *, data=None):
        progress = images_pb2.Progress(step=number, steps=8)
        if data:
            progress.preview.data = data
        return images_pb2.GenerateResponse(progress=progress)

    peer = Peer(([accepted(), step(1), step(2, data=png()), result()], None))
    heard = []
    async with client_of(peer) as client:
        await client.draw(replace(ORDER, preview_every_steps=2), on_progress=heard.append)
    assert peer.requests[0].preview_every_steps == 2
    assert [(told.step, told.steps) for told in heard] == [(1, 8), (2, 8)]
    assert [told.preview for told in heard] == [None, png()]


async def test_tries_are_told_with_what_they_ended_in():
    peer = Peer(([], Unavailable("away", retry_after=0.01)), ([result()], None))
    heard = []
    async with client_of(peer) as client:
        await client.draw(ORDER, on_retry=lambda error, delay: heard.append((str(error), delay)))
    ((said, delay),) = heard
    assert said == "away"
    assert 0.01 <= delay <= 0.0125


@pytest.mark.parametrize(("field", "word"), [("priority", "urgent"), ("image_format", "gif")])
def test_word_that_the_wire_does_not_have_is_refused_at_once(field, word):
    with pytest.raises(InvalidRequest) as caught:
        Order(prompt="p", **{field: word})
    assert caught.value.violations[0].field == field


async def test_number_that_does_not_fit_its_field_is_refused_unsent():
    peer = Peer()
    async with client_of(peer) as client:
        with pytest.raises(InvalidRequest):
            await client.draw(Order(prompt="p", seed=-1))
    assert not peer.requests


async def test_tenant_and_key_go_with_every_call():
    peer = Peer(([result()], None), ([result()], None))

    def use(address):
        with Client(address, tenant="shop", api_key="argus-key") as client:
            client.draw(ORDER)

    async with serving((add_ImageServiceServicer_to_server, peer)) as address:
        async with AsyncClient(address, tenant="shop", api_key="argus-key") as client:
            await client.draw(ORDER)
        await asyncio.to_thread(use, address)
    for metadata in peer.metadata:
        assert metadata["argus-tenant"] == "shop"
        assert metadata["authorization"] == "Bearer argus-key"
    assert len(peer.metadata) == 2


async def test_router_that_is_gone_is_passed_over():
    peer = Peer(*[([result()], None)] * 8)
    async with (
        serving((add_ImageServiceServicer_to_server, peer)) as address,
        AsyncClient(f"127.0.0.1:1,{address}", retry=QUICK) as client,
    ):
        for _ in range(8):
            assert len(await client.draw(ORDER)) == 1
    assert len(peer.requests) == 8


async def test_several_routers_each_serve_their_share():
    one, two = (Peer(*[([result()], None)] * 20) for _ in range(2))

    async def both_were_asked(client):
        await client.draw(ORDER)
        return one.requests and two.requests

    async with (
        serving((add_ImageServiceServicer_to_server, one)) as first,
        serving((add_ImageServiceServicer_to_server, two)) as second,
        AsyncClient(f"{first},{second}", retry=QUICK) as client,
    ):
        await eventually(lambda: both_were_asked(client), timeout=20, interval=0.05)


async def test_client_of_threads_tries_again_and_gives_up_in_time():
    slept = []

    def use(address):
        with Client(address, retry=QUICK, sleep=slept.append) as client:
            client.draw(ORDER)
            with pytest.raises(DeadlineMissed):
                client.draw(Order(prompt="p", deadline=0.2))

    peer = Peer(([], Exhausted("full", retry_after=3)), ([result()], None), ([], "hang"))
    async with serving((add_ImageServiceServicer_to_server, peer)) as address:
        await asyncio.to_thread(use, address)
    (delay,) = slept
    assert 3 <= delay <= 3.75


@pytest.mark.parametrize("given", [{"ca": "/no/such/file"}, {"certificate": "/some/file"}])
def test_tls_that_cannot_be_is_refused_when_the_client_is_made(given):
    with pytest.raises(InvalidRequest):
        Client("localhost:1", tls=Tls(**given))


async def test_closing_the_events_cancels_the_request():
    peer = Peer(([accepted()], "hang"))
    async with client_of(peer) as client:
        events = client.generate(ORDER)
        await anext(events)
        await events.aclose()
        await asyncio.wait_for(peer.cancelled.wait(), 30)


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
