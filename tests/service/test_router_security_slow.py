"""Clients that are slow on purpose: each is cut off, and leaves nothing behind."""

import asyncio
import itertools

import aiohttp
import grpc
import pytest

from argus_protos.v1 import cluster_pb2, images_pb2, worker_pb2
from argus_rpc.errors import from_rpc
from argus_rpc.limits import Limits
from helpers import eventually
from router_support import ScriptedWorker, cluster_of, collect
from security_support import guarded, stubs

LARGE = bytes(8 * 1024 * 1024)
"""More than the buffers of a connection hold."""


def draw_large(call):
    image = cluster_pb2.Image(format=1, size=call.request.size, data=LARGE)
    result = worker_pb2.ExecuteResult(image=image)
    call.orders.put_nowait(worker_pb2.ExecuteResponse(result=result))


def within(**seconds):
    """A router with these limits; what a test is not about has time."""
    return pytest.mark.parametrize("served", [Limits(**seconds)], indirect=True, ids=[""])


@pytest.fixture
async def served(request):
    worker = ScriptedWorker("w0", "large")
    async with guarded(worker, limits=getattr(request, "param", None)) as (router, address, url):
        await eventually(lambda: router.service.ready)
        yield router, worker, address, url


async def connect(url):
    host, _, port = url.removeprefix("http://").rpartition(":")
    # So small that what the router sends must wait for us to read.
    return await asyncio.open_connection(host, int(port), limit=1024)


async def all_until_closed(reader):
    try:
        return await reader.read()
    except ConnectionResetError:  # A byte of ours came after the other side had closed.
        return b""


def post(body):
    head = f"POST /v1/images/generations HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@within(head=0.3)
@pytest.mark.parametrize("sent", [b"", b"POST /v1/images/gen", post(b"")[:-2]])
async def test_head_that_does_not_come_is_not_waited_for(served, sent):
    _, _, _, url = served
    reader, writer = await connect(url)
    writer.write(sent)
    assert await asyncio.wait_for(reader.read(), 30) == b""
    writer.close()


@within(head=0.3)
async def test_head_that_comes_byte_by_byte_is_not_waited_for(served):
    _, _, _, url = served
    reader, writer = await connect(url)
    closed = asyncio.create_task(all_until_closed(reader))
    head = (bytes([byte]) for byte in itertools.chain(post(b"x"), itertools.repeat(120)))

    async def drip():
        writer.write(next(head))
        return closed.done()

    await eventually(drip, interval=0.05)
    assert not await closed
    writer.close()


@within(body=0.3)
async def test_body_that_does_not_come_is_refused(served):
    _, _, _, url = served
    reader, writer = await connect(url)
    writer.write(post(b'{"prompt": "a red circle"}')[:-5])
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
    assert answer.startswith(b"HTTP/1.1 400 ")
    writer.close()


@within(take=0.3)
@pytest.mark.parametrize("body", [b'{"prompt": "x"}', b'{"prompt": "x", "stream": true}'])
async def test_answer_that_nobody_takes_is_not_kept(served, body):
    _, worker, _, url = served
    _, writer = await connect(url)
    writer.transport.pause_reading()
    writer.write(post(body))
    await eventually(lambda: worker.calls)
    draw_large(worker.calls[0])
    await eventually(lambda: not open_requests())
    writer.close()


@within(take=3.0)
async def test_answer_that_is_taken_slowly_comes_to_its_end(served):
    _, worker, _, url = served
    reader, writer = await connect(url)
    writer.write(post(b'{"prompt": "x"}'))
    await eventually(lambda: worker.calls)
    draw_large(worker.calls[0])
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.partition("content-length: ")[2].partition("\r")[0])
    assert length > len(LARGE)
    got = 0
    while got < length:
        got += len(await reader.read(length // 40))
    assert got == length
    writer.close()


def open_requests():
    """Handlers of the HTTP front that are at work."""
    return [t for t in asyncio.all_tasks() if "pour" in str(t.get_stack())]


@within(take=0.3)
async def test_stream_that_nobody_reads_is_ended_over_grpc(served):
    router, worker, address, _ = served
    async with grpc.aio.insecure_channel(
        address, options=[("grpc.max_receive_message_length", -1)]
    ) as channel:
        call = stubs(channel)[0].Generate(images_pb2.GenerateRequest(prompt="x", count=2))
        await call.wait_for_connection()
        await eventually(lambda: worker.calls)
        for number in (1, 2):
            await eventually(lambda number=number: len(worker.calls) == number)
            draw_large(worker.calls[-1])
        await eventually(lambda: router.service._under_way == 0)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await collect(call)
    assert caught.value.code() == grpc.StatusCode.CANCELLED
    assert "not taken" in caught.value.details()


@within(body=0.3)
@pytest.mark.parametrize("rpc", ["Generate", "DescribeCluster"])
async def test_message_that_does_not_come_is_not_waited_for(served, rpc):
    _, _, address, _ = served
    async with grpc.aio.insecure_channel(address) as channel:
        call = channel.stream_unary(f"/argus.v1.ImageService/{rpc}")()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert from_rpc(caught.value).violations[0].field == "message"
    assert "within 0.3 s" in caught.value.details()


async def test_call_without_a_message_is_refused(served):
    _, _, address, _ = served
    async with grpc.aio.insecure_channel(address) as channel:
        call = channel.stream_unary("/argus.v1.ImageService/Generate")()
        await call.done_writing()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
    assert (caught.value.code(), caught.value.details()) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "message: is missing",
    )


@pytest.fixture
async def crowded():
    """A router that has two connections to each front, and lets a third wait for nothing."""
    worker = ScriptedWorker("w0", "large")
    cluster = cluster_of(router={"maxConnections": 2})
    # None of them is cut off for its silence before all have come.
    more = {"cluster": cluster, "probe": "127.0.0.1:0"}
    async with guarded(worker, **more) as (router, address, url):
        await eventually(lambda: router.service.ready)
        yield address, url, router.probe_url


async def describe(address):
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        await stubs(channel)[0].DescribeCluster(
            images_pb2.DescribeClusterRequest(), timeout=30, wait_for_ready=True
        )
        return True


async def test_connections_beyond_the_bound_are_closed_over_grpc(crowded):
    address, *_ = crowded
    host, _, port = address.rpartition(":")
    open_, preface = [], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
    for _ in range(3):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(preface)
        open_.append((await asyncio.wait_for(reader.read(9), 30), writer))
    assert [bool(heard) for heard, _ in open_] == [True, True, False]
    for _, writer in open_:
        writer.close()
    assert await describe(address)


async def test_connections_beyond_the_bound_are_closed_over_http(crowded):
    _, url, probe = crowded
    held = [await connect(url) for _ in range(2)]
    reader, writer = await connect(url)
    told = await asyncio.wait_for(reader.read(), 30)
    assert told.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: " in told
    # Whoever runs the router is told that it lives, or would end it.
    async with aiohttp.ClientSession() as session, session.get(f"{probe}/readyz") as answer:
        assert await answer.json() == {"ready": True}
    for other in (*(w for _, w in held), writer):
        other.close()

    async def is_let_in():
        reader, writer = await connect(url)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        told = await reader.read()
        writer.close()
        return told.startswith(b"HTTP/1.1 200 ")

    await eventually(is_let_in)


async def test_client_that_is_half_closed_still_gets_its_answer(served):
    _, worker, _, url = served
    worker.automatic = True
    reader, writer = await connect(url)
    writer.write(post(b'{"prompt": "x"}'))
    writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 30)
    assert not answer or answer.startswith(b"HTTP/1.1 200 ")
    await eventually(lambda: all(call.cancelled for call in worker.calls) or answer)
    writer.close()
