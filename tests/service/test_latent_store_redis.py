"""A Redis that is slow, full, restarted or emptied costs latents, and nothing else."""

import asyncio
from contextlib import suppress

import pytest
from redis.asyncio import Redis

from argus_latents.redis_store import PREFIX
from argus_latents.store import StoreFailed, StoreFull
from helpers import eventually
from latents_support import (
    HANGS,
    PATIENCE,
    Following,
    got,
    opened,
    put_one,
    redis_server,
)
from support.redis import SlowProxy


async def test_a_redis_that_answers_too_late_is_given_up_and_comes_back(tmp_path):
    async with (
        redis_server(tmp_path) as server,
        SlowProxy(server.port) as proxy,
        opened(proxy.url, timeout=PATIENCE) as store,
        opened(proxy.url) as patient,
    ):
        entry, latent = await put_one(patient)
        proxy.delay = HANGS
        for call in (got(store, entry), put_one(store), store.usage(), store.lead("x", 1)):
            async with asyncio.timeout(HANGS):
                with pytest.raises(StoreFailed):
                    await call
        async with asyncio.timeout(HANGS):
            await store.used(entry.key, 2)
        proxy.delay = 0.0

        async def well():
            with suppress(StoreFailed):
                return await got(store, entry)

        assert await eventually(well) == latent
        assert not store.misses, "what is not known is no miss"


async def test_redis_restarted_under_load_loses_what_it_kept_and_no_more(tmp_path):
    async with (
        redis_server(tmp_path) as server,
        opened(server.url) as store,
        opened(server.url) as other,
    ):
        follower = Following(other)
        kept, failed = [], 0
        ended = asyncio.Event()

        async def load():
            nonlocal failed
            while not ended.is_set():
                try:
                    entry, latent = await put_one(store, size=4096)
                    # Redis may have begun anew in between: a miss, and nothing else.
                    assert await got(store, entry) in (latent, None)
                    kept.append(entry.key)
                except StoreFailed:
                    failed += 1
                    await asyncio.sleep(0.01)

        loads = [asyncio.ensure_future(load()) for _ in range(4)]
        await eventually(lambda: len(kept) > 50 and follower.keys)
        server.stop()
        await eventually(lambda: failed > 10)
        before = len(kept)
        await server.start()
        await eventually(lambda: len(kept) > before + 50)
        ended.set()
        await asyncio.gather(*loads)
        entries = (await store.usage()).entries
        # As many of the old ones may be known as there are new ones by now: the last one tells.
        await eventually(lambda: kept[-1] in follower.keys and len(follower.keys) == entries)
        assert kept[0] not in follower.keys, "what was lost is told to be gone"
        await follower.end()


async def test_a_redis_without_memory_is_full_until_something_is_deleted(tmp_path):
    async with redis_server(tmp_path) as server, opened(server.url, max_bytes=2**30) as store:
        client = Redis.from_url(server.url)
        memory = (await client.info("memory"))["used_memory"]
        await client.config_set("maxmemory", memory + 2**21)
        entries = []

        async def fill():
            for _ in range(200):
                entries.append((await put_one(store, size=2**16))[0])  # noqa: PERF401 - it must fail

        with pytest.raises(StoreFull, match="no memory"):
            await fill()
        assert len(entries) > 5
        assert (await store.usage()).entries == len(entries)
        assert await got(store, entries[0]) is not None
        assert await store.lead("evictor", 5.0), "evicting must be possible now of all times"
        await store.delete([entry.key for entry in entries[:5]])
        assert await eventually(lambda: _can(put_one(store, size=2**16)))
        await client.aclose()


async def _can(work) -> bool:
    try:
        await work
    except StoreFull:
        return False
    return True


async def test_a_redis_that_lost_its_journal_has_followers_begin_anew(tmp_path):
    async with redis_server(tmp_path) as server, opened(server.url) as store:
        client = Redis.from_url(server.url)
        entry, _ = await put_one(store)
        follower = Following(store)
        await eventually(lambda: follower.complete)
        await client.delete(PREFIX + "journal")
        second, _ = await put_one(store, seed=1)
        await eventually(lambda: follower.keys == {entry.key, second.key})
        await client.flushall()
        third, _ = await put_one(store, seed=2)
        await eventually(lambda: follower.keys == {third.key})
        await follower.end()
        await client.aclose()


async def test_what_is_no_entry_in_redis_is_passed_over(tmp_path):
    async with redis_server(tmp_path) as server, opened(server.url) as store:
        client = Redis.from_url(server.url)
        entry, _ = await put_one(store)
        await client.hset(PREFIX + "entries", "no key", b"\x80\x04pickle")
        follower = Following(store)
        await eventually(lambda: follower.complete)
        assert follower.keys == {entry.key}
        await follower.end()
        await client.aclose()
