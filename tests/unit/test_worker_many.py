"""Many images over one stream of a worker, with a behaviour that the test drives."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from google.rpc import code_pb2, status_pb2

from argus_core.errors import InvalidRequest, Unavailable
from argus_protos.v1 import cluster_pb2, worker_pb2
from argus_worker import many
from argus_worker.many import Many
from helpers import eventually

STARTED = worker_pb2.ExecuteResponse(started=worker_pb2.ExecuteStarted(worker="w0"))
RESULT = worker_pb2.ExecuteResponse(result=worker_pb2.ExecuteResult())


class Context:
    def add_done_callback(self, callback):
        self.end = lambda: callback(self)


class Desk:
    """The far end of a stream: asks, and hears what is told."""

    def __init__(self, execute):
        self.requests, self.context = asyncio.Queue(), Context()
        self.many = Many(execute)
        self.told = self.many.serve(self._requests(), self.context)

    async def _requests(self):
        while (request := await self.requests.get()) is not None:
            yield request

    def ask(self, *prompts, cancelled=()):
        """Each prompt is begun under its length as its id."""
        executions = [
            worker_pb2.Execution(id=len(p), request=worker_pb2.ExecuteRequest(prompt=p))
            for p in prompts
        ]
        message = worker_pb2.ExecuteManyRequest(executions=executions, cancelled=cancelled)
        self.requests.put_nowait(message)

    async def hear(self, count):
        """So many events, each as its id and its kind."""
        events = []
        while len(events) < count:
            events += (await asyncio.wait_for(anext(self.told), 30)).events
        return [(e.id, e.response.WhichOneof("event") or code(e.failure)) for e in events]


def code(failure):
    return code_pb2.Code.Name(status_pb2.Status.FromString(failure).code)


@asynccontextmanager
async def desk(execute):
    made = Desk(execute)
    try:
        yield made
    finally:
        await made.told.aclose()


async def by_prompt(request, _context):
    """`refuse` and `break` fail; `wait` waits for ever; anything else is drawn."""
    if request.prompt == "refuse":
        raise Unavailable("full", retry_after=1.0)
    if request.prompt == "break":
        raise ZeroDivisionError
    yield STARTED
    if request.prompt == "wait":
        await asyncio.Event().wait()
    yield RESULT


async def test_what_ends_one_image_ends_no_other():
    async with desk(by_prompt) as far:
        far.ask("wait", "break", "refuse", "seven77")
        heard = sorted(await far.hear(5))
    assert heard == [
        (4, "started"),
        (5, "INTERNAL"),
        (6, "UNAVAILABLE"),
        (7, "result"),
        (7, "started"),
    ]


async def test_what_comes_meanwhile_is_told_together():
    async with desk(by_prompt) as far:
        far.ask(*("x" * length for length in range(1, 21)))
        assert len(await far.hear(1)) > 20


async def test_a_cancelled_image_ends_and_is_told_of_no_more():
    ended = []

    async def execute(request, context):
        context.add_done_callback(lambda _context: ended.append(request.prompt))
        async for told in by_prompt(request, context):
            yield told

    async with desk(execute) as far:
        far.ask("wait", "xx")
        assert len(await far.hear(3)) == 3
        far.ask("xxx", cancelled=[4, 77])
        assert await far.hear(2) == [(3, "started"), (3, "result")]
        await eventually(lambda: "wait" in ended)
        far.ask("wait")
        assert await far.hear(1) == [(4, "started")]
        far.context.end()
        await eventually(lambda: ended.count("wait") == 2)
    assert sorted(ended) == ["wait", "wait", "xx", "xxx"]


async def test_an_id_that_is_under_way_ends_the_stream():
    async with desk(by_prompt) as far:
        far.ask("wait")
        await far.hear(1)
        far.ask("wait")
        with pytest.raises(InvalidRequest, match="under way already"):
            await far.hear(1)


async def test_closed_it_ends_once_what_is_under_way_has_been_told():
    go = asyncio.Event()

    async def execute(_request, _context):
        await go.wait()
        yield RESULT

    async with desk(execute) as far:
        far.ask("x")
        hearing = asyncio.create_task(far.hear(1))
        await eventually(lambda: far.many._tasks)
        far.many.close()
        far.ask("xx")
        go.set()
        assert await hearing == [(1, "result")]
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(anext(far.told), 30)


async def test_who_draws_on_waits_while_nobody_reads(monkeypatch):
    monkeypatch.setattr(many, "_MOST_BYTES", 100)
    told = []

    async def execute(_request, _context):
        for step in range(50):
            told.append(step)
            progress = worker_pb2.ExecuteProgress(step=step + 1, steps=50)
            yield worker_pb2.ExecuteResponse(progress=progress)

    async with desk(execute) as far:
        far.ask("x")
        events = len(await far.hear(1))
        for _ in range(100):
            await asyncio.sleep(0)
        assert len(told) < 30
        while events < 50:
            events += len(await far.hear(1))
    assert len(told) == 50


async def test_no_more_than_so_many_are_under_way(monkeypatch):
    monkeypatch.setattr(many, "MOST", 1)
    async with desk(by_prompt) as far:
        far.ask("wait", "xx")
        assert sorted(await far.hear(2)) == [(2, "UNAVAILABLE"), (4, "started")]


async def test_an_image_too_large_for_a_message_ends_no_other(monkeypatch):
    monkeypatch.setattr(many, "_MOST_OF_ONE", 100)

    async def execute(request, _context):
        data = bytes(200) if request.prompt == "x" else b""
        yield worker_pb2.ExecuteResponse(
            result=worker_pb2.ExecuteResult(image=cluster_pb2.Image(data=data))
        )

    async with desk(execute) as far:
        far.ask("x", "xx")
        assert sorted(await far.hear(2)) == [(1, "RESOURCE_EXHAUSTED"), (2, "result")]
