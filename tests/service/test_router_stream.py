"""Images at a worker over one stream, and at workers that have none."""

import asyncio

import grpc
import pytest

from argus_core.errors import NotBuilt
from argus_protos.v1 import images_pb2
from argus_rpc.errors import from_rpc
from argus_worker.many import Part
from helpers import eventually
from router_support import ScriptedWorker, collect, staged


class Counting(ScriptedWorker):
    """Counts streams, and calls of a single image."""

    def __init__(self, *names, **fields):
        super().__init__(*names, **fields)
        self.streams = self.alone = 0
        self.automatic = True

    async def Execute(self, request, context):
        self.alone += not isinstance(context, Part)
        async for event in super().Execute(request, context):
            yield event

    async def ExecuteMany(self, requests, context):
        self.streams += 1
        async for message in super().ExecuteMany(requests, context):
            yield message


async def drawn(stage, count):
    calls = [collect(stage.draw(prompt=f"number {n}")) for n in range(count)]
    return [events[-1].result.attempts for events in await asyncio.gather(*calls)]


async def test_many_images_go_over_one_stream():
    worker = Counting("w0", "large", "tiny", slots=8)
    async with staged(worker) as stage:
        assert await drawn(stage, 20) == [1] * 20
        assert (worker.streams, worker.alone, len(worker.calls)) == (1, 0, 20)


async def test_an_older_worker_has_a_call_for_each_and_is_asked_for_a_stream_once():
    worker = Counting("w0", "large", "tiny", slots=8)
    worker.old = True
    async with staged(worker) as stage:
        assert await drawn(stage, 20) == [1] * 20
        assert (worker.streams, worker.alone, len(worker.calls)) == (1, 20, 20)


async def test_a_worker_that_comes_back_is_asked_for_a_stream_again():
    worker = Counting("w0", "large", "tiny")
    worker.old = True
    async with staged(worker) as stage:
        assert await drawn(stage, 1) == [1]
        port = int(worker.address.rpartition(":")[2])
        await worker.die()
        await eventually(lambda: not any(w.ready for w in stage.router.dispatcher.fleet))
        worker.old = False
        await worker.start(port)
        await stage.knows(worker)
        assert await drawn(stage, 2) == [1, 1]
        assert (worker.streams, worker.alone) == (2, 1)


async def test_what_is_traced_has_a_call_of_its_own():
    worker = Counting("w0", "large", "tiny")
    traced = (("traceparent", f"00-{'ab' * 16}-{'cd' * 8}-01"),)
    async with staged(worker) as stage:
        await collect(
            stage.images.Generate(images_pb2.GenerateRequest(prompt="x"), metadata=traced)
        )
        assert (worker.streams, worker.alone) == (0, 1)


async def test_one_failure_ends_no_other_image_of_the_stream():
    worker = ScriptedWorker("w0", "large", "tiny", slots=2)
    async with staged(worker) as stage:
        for held in stage.router.dispatcher.fleet:
            held.warming = False
        first, second = (asyncio.ensure_future(collect(stage.draw(prompt=p))) for p in "ab")
        await eventually(lambda: len(worker.calls) == 2)
        by_prompt = {call.request.prompt: call for call in worker.calls}
        by_prompt["a"].fail(NotBuilt("not today"))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await first
        assert isinstance(from_rpc(caught.value), NotBuilt)
        by_prompt["b"].finish()
        assert (await second)[-1].HasField("result")
