"""A worker that fetches starts from a latent store, and keeps captures in it, over real gRPC."""

import asyncio
import logging
import os
import sqlite3
import time
from contextlib import asynccontextmanager
from functools import partial

import grpc
import numpy as np
import pytest
import torch

from argus_core.errors import InvalidRequest, NotFound
from argus_core.spec import LatentStore
from argus_latents import open_store
from argus_latents.misses import Reason
from argus_protos.v1 import worker_pb2
from argus_rpc.convert import duration, seconds
from argus_rpc.errors import from_rpc
from argus_worker import host as hosts
from argus_worker import shelf as shelves
from argus_worker.latents import pack
from engine_support import TINY, ask, collect, gated, phase, running
from helpers import eventually
from latents_support import Folder, Following, entry_of, opened, redis_server

EMBEDDING = (np.ones(16) / 4).astype("<f2").tobytes()
SCOPE = "tenant-a"


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """A busy machine may take long for what takes a store a millisecond otherwise."""
    monkeypatch.setattr(hosts, "open_store", partial(open_store, timeout=30.0))
    monkeypatch.setattr(shelves, "LONGEST_FETCH", 30.0)


@asynccontextmanager
async def worker(url, **settings):
    """A worker with a store, and the stub to call it with."""
    spec = LatentStore(url=url, max_bytes=settings.pop("max_bytes", 2**24))
    async with running(TINY, loadout=["tiny"], latent_store=spec, **settings) as (host, stub, _):
        await phase(stub, "READY")
        yield host, stub


def keeping(*steps, **fields):
    """A request whose captures are kept."""
    keep = worker_pb2.Keep(embedding=EMBEDDING, encoder="minilm", **fields.pop("keep", {}))
    return ask(steps=6, capture_steps=steps, keep=keep, **{"scope": SCOPE, **fields})


def starting(latent, **fields):
    """A request that starts from a latent."""
    return ask(steps=6, skipped=latent.step, start=latent, **{"scope": SCOPE, **fields})


async def drawn(stub, request):
    """The result."""
    return (await collect(stub.Execute(request)))[-1].result


async def refusal(stub, request):
    """The error, and what was told before it."""
    told = []

    async def draw():
        async for response in stub.Execute(request):
            told.append(response)  # noqa: PERF401 - the stream breaks

    with pytest.raises(grpc.aio.AioRpcError) as error:
        await draw()
    return from_rpc(error.value), told


async def kept(host, count=1):
    """Once so many entries are written."""
    await eventually(lambda: host.shelf.tally.counts().get("kept") == count)


async def test_a_start_by_key_draws_the_image_that_its_latent_came_from(url):
    async with worker(url) as (host, stub), opened(url) as other:
        whole = await drawn(stub, keeping(2, 4))
        assert [latent.step for latent in whole.captured] == [2, 4]
        assert {latent.WhichOneof("location") for latent in whole.captured} == {"key"}
        assert len({latent.key for latent in whole.captured}) == 1
        assert not whole.HasField("fetch")
        await kept(host)
        follower = Following(other)
        await eventually(lambda: follower.complete)  # Uses before it follows are not told.
        for latent in whole.captured:
            began = time.monotonic()
            result = await drawn(stub, starting(latent))
            assert result.image.data == whole.image.data
            assert 0 < seconds(result.fetch) < time.monotonic() - began
        await eventually(lambda: [use.step for use in follower.used] == [2, 4])
        assert host.shelf.tally.counts()["fetched"] == 2
        await follower.end()


async def test_an_entry_tells_what_makes_it_findable_and_worth_finding(url):
    async with worker(url) as (host, stub), opened(url) as other:
        before = time.time()
        result = await drawn(stub, keeping(3, keep={"time_to_live": duration(60.0)}))
        await kept(host)
        follower = Following(other)
        await eventually(lambda: follower.complete)
        entry = follower.told[0].entry
        assert (entry.scope, entry.encoder, entry.embedding) == (SCOPE, "minilm", EMBEDDING)
        assert entry.compatibility == result.captured[0].compatibility
        assert entry.steps == (3,)
        assert before <= entry.created <= time.time()
        assert entry.expires == pytest.approx(entry.created + 60.0)
        assert entry.seconds_per_step == pytest.approx(seconds(result.denoise) / 6, rel=1e-3)
        await follower.end()


async def test_another_scope_or_key_or_step_is_not_found_before_any_work(url):
    async with worker(url) as (host, stub):
        whole = await drawn(stub, keeping(2, 4))
        await kept(host)
        latent = whole.captured[0]
        unknown = worker_pb2.Latent(step=2, compatibility=latent.compatibility, key="0" * 32)
        path = worker_pb2.Latent(step=2, compatibility=latent.compatibility, key="../../x")
        other = worker_pb2.Latent(step=3, compatibility=latent.compatibility, key=latent.key)
        for request in (
            starting(latent, scope="tenant-b"),
            starting(latent, scope=""),
            *map(starting, (unknown, path, other)),
        ):
            error, told = await refusal(stub, request)
            assert isinstance(error, NotFound)
            assert told == []
        counts = host.shelf.tally.counts()
        assert counts["miss.scope"] == 2
        assert counts["miss.key"] == 1
        assert counts["miss.missing"] == 2
        error, _ = await refusal(stub, starting(latent, guidance=3.0))
        assert isinstance(error, InvalidRequest), "a start that cannot fit is the caller's mistake"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x04\x95pickle",
        pack(torch.zeros(1, 3, 24, 24)),
        pack(torch.zeros(1, 3, 48, 48).half()),
        pack(torch.full((1, 3, 48, 48), float("nan"))),
    ],
    ids=["empty", "pickle", "shape", "dtype", "nan"],
)
async def test_what_is_no_latent_of_the_variant_is_not_found(tmp_path, data):
    url = f"directory:{tmp_path / 'latents'}"
    async with worker(url) as (host, stub), opened(url) as other:
        fitting = (await drawn(stub, ask(steps=6, capture_steps=[2]))).captured[0]
        entry = entry_of({2: data}, compatibility=fitting.compatibility)
        await other.put(entry, {2: data})
        given = worker_pb2.Latent(step=2, compatibility=fitting.compatibility, key=entry.key)
        error, told = await refusal(stub, starting(given))
        assert isinstance(error, NotFound)
        assert told == []
        assert host.shelf.tally.counts()["unsound"] == 1


async def test_a_spoilt_file_is_not_found_and_forgotten(tmp_path):
    folder = Folder(tmp_path / "latents")
    async with worker(folder.url) as (host, stub):
        latent = (await drawn(stub, keeping(2))).captured[0]
        await kept(host)
        frame = bytearray(await folder.read(latent.key))
        frame[len(frame) // 2] ^= 1
        await folder.write(latent.key, bytes(frame))
        error, _ = await refusal(stub, starting(latent))
        assert isinstance(error, NotFound)
        assert host.shelf.tally.counts()[f"miss.{Reason.CORRUPT}"] == 1
        await eventually(lambda: not folder.file(latent.key).exists())
        async with opened(folder.url) as store:
            assert (await store.usage()).entries == 0, "nobody is sent to it again"


async def test_a_store_that_hangs_costs_a_tenth_of_the_time_and_no_image(tmp_path, caplog):
    folder = Folder(tmp_path / "latents")
    async with worker(folder.url) as (host, stub):
        latent = (await drawn(stub, keeping(2))).captured[0]
        await kept(host)
        frame = await folder.read(latent.key)
        folder.file(latent.key).unlink()
        os.mkfifo(folder.file(latent.key))
        with caplog.at_level(logging.INFO, logger="argus_worker.tally"):
            for _ in range(2):
                error, told = await refusal(stub, starting(latent, deadline=duration(4.0)))
                assert isinstance(error, NotFound), "while there is time to draw without"
                assert told == []
            assert host.shelf.tally.lost
            # Whoever waits for the pipe reads what is there, so that its thread ends.
            await asyncio.to_thread(folder.file(latent.key).write_bytes, frame)
            folder.file(latent.key).unlink()
            await folder.write(latent.key, frame)
            assert (await drawn(stub, starting(latent))).HasField("image")
        said = [record.message.partition(",")[0] for record in caplog.records]
        assert said == ["the latent store is lost", "the latent store is back"], "once each"


async def test_captures_that_cannot_be_kept_are_dropped_and_delay_no_image(tmp_path, monkeypatch):
    monkeypatch.setattr(shelves, "MOST_WAITING", 2)
    folder = Folder(tmp_path / "latents")
    async with worker(folder.url) as (host, stub):
        await drawn(stub, keeping(2))
        await kept(host)
        holder = sqlite3.connect(folder.path / "catalogue.sqlite", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        results = [await drawn(stub, keeping(2, seed=seed)) for seed in range(6)]
        assert all(result.HasField("image") for result in results)
        assert host.shelf._waiting == 2, "no image has waited for what waits to be kept"
        counts = host.shelf.tally.counts()
        assert counts["dropped"] == 4
        assert sum(not result.captured for result in results) == counts["dropped"]
        holder.execute("ROLLBACK")
        holder.close()
        await eventually(lambda: host.shelf._waiting == 0)
        result = await drawn(stub, keeping(2))
        latent = result.captured[0]

        async def there():
            try:
                return await drawn(stub, starting(latent))
            except grpc.aio.AioRpcError:
                return None

        assert (await eventually(there)).image.data == result.image.data


async def test_a_full_store_is_counted_and_is_not_lost(url):
    async with worker(url, max_bytes=1) as (host, stub):
        assert (await drawn(stub, keeping(2))).HasField("image")
        await eventually(lambda: host.shelf.tally.counts().get("full") == 1)
        assert not host.shelf.tally.lost


async def test_redis_that_is_gone_costs_latents_and_no_image(tmp_path):
    async with redis_server(tmp_path) as server, worker(server.url) as (host, stub):
        latent = (await drawn(stub, keeping(2))).captured[0]
        await kept(host)
        server.stop()
        error, _ = await refusal(stub, starting(latent))
        assert isinstance(error, NotFound)
        assert (await drawn(stub, keeping(2))).HasField("image")
        await eventually(lambda: host.shelf.tally.counts().get("failed") == 2)
        await server.start()
        error, _ = await refusal(stub, starting(latent))
        assert isinstance(error, NotFound), "it kept nothing"
        assert not host.shelf.tally.lost
        await drawn(stub, keeping(2))
        await kept(host, 2)


async def test_what_waits_to_be_kept_is_kept_before_a_worker_ends(url):
    async with worker(url) as (_, stub):
        results = [await drawn(stub, keeping(2, seed=seed)) for seed in range(5)]
    async with opened(url) as store:
        assert (await store.usage()).entries == 5
        latent = results[-1].captured[0]
        compatibility = latent.compatibility
        assert await store.get(latent.key, 2, scope=SCOPE, compatibility=compatibility) is not None


async def test_a_worker_without_a_store_draws_what_would_be_kept():
    async with running(TINY, loadout=["tiny"]) as (_, stub, _channel):
        await phase(stub, "READY")
        result = await drawn(stub, keeping(2))
        assert result.HasField("image")
        assert not result.captured


async def test_a_worker_told_to_switch_during_a_fetch_does_not_draw(tmp_path):
    folder = Folder(tmp_path / "latents")
    find, gate = gated()
    gate.open()
    async with worker(folder.url, find=find) as (host, stub):
        latent = (await drawn(stub, keeping(2))).captured[0]
        await kept(host)
        frame = await folder.read(latent.key)
        folder.file(latent.key).unlink()
        os.mkfifo(folder.file(latent.key))
        passed = gate.passed
        call = asyncio.ensure_future(refusal(stub, starting(latent)))
        # Opening to write succeeds once the worker has opened it to read.
        pipe = await asyncio.to_thread(open, folder.file(latent.key), "wb")
        host.worker.broke("the test says so")
        with pipe:
            pipe.write(frame)
        error, told = await call
        assert error.code == "UNAVAILABLE"
        assert told == []
        assert gate.passed == passed


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"scope": "x" * 257}, "scope"),
        ({"keep": worker_pb2.Keep(embedding=EMBEDDING)}, "keep.encoder"),
        ({"keep": worker_pb2.Keep(encoder="e")}, "keep.embedding"),
        ({"keep": worker_pb2.Keep(encoder="e", embedding=b"\0" * 8)}, "keep.embedding"),
        ({"keep": worker_pb2.Keep(encoder="e", embedding=EMBEDDING[:-1])}, "keep.embedding"),
        ({"keep": worker_pb2.Keep(encoder="e", embedding=b"\xff" * 8)}, "keep.embedding"),
        (
            {"keep": worker_pb2.Keep(encoder="e", embedding=EMBEDDING, time_to_live=duration(0))},
            "keep.time_to_live",
        ),
    ],
)
async def test_what_is_wrong_with_keeping_is_refused_by_name(tmp_path, wrong, field):
    async with worker(f"directory:{tmp_path}") as (_, stub):
        error, _ = await refusal(stub, ask(capture_steps=[2], **wrong))
        assert [violation.field for violation in error.violations] == [field]
