"""Neighbours follow real stores: a directory, and a real Redis."""

import time
from contextlib import asynccontextmanager
from functools import partial

from helpers import eventually
from latents_support import open_at, opened, redis_server, some_latents
from neighbours_support import embedding, entry, following, neighbours, start

ROW = embedding(0)


@asynccontextmanager
async def replica(url, *, clock=time.time, **settings):
    """One predictor's neighbours, with a store of their own."""
    store = open_at(url, clock=clock, **settings)
    try:
        async with following(neighbours(clock=clock), store) as known:
            yield known
    finally:
        await store.close()


async def put(store, row, *, size=64, lives=3600.0, **changed):
    latents = some_latents(2, 4, size=size)
    now = time.time()
    given = {"created": now, "expires": now + lives, "bytes": sum(map(len, latents.values()))}
    one = entry(row, **{**given, **changed})
    await store.put(one, latents)
    return one


async def eased(store):
    """Whether it is below nine tenths of its limit."""
    usage = await store.usage()
    return usage.bytes <= 0.9 * usage.max_bytes


async def test_replicas_find_the_same_whether_they_began_before_or_after(url):
    async with opened(url) as store, replica(url) as early:
        entries = [await put(store, embedding(n)) for n in range(20)]
        async with replica(url) as late:
            await eventually(lambda: len(early) == len(late) == 20)
            for n, one in enumerate(entries):
                found = start(early, embedding(n))
                assert found == start(late, embedding(n))
                assert found.key == one.key
            await store.delete([entries[0].key])
            await eventually(lambda: len(early) == len(late) == 19)
            assert start(early, ROW) == start(late, ROW)


async def test_store_stays_below_its_limit_while_replicas_follow(url):
    settings = {"max_bytes": 20_000}
    async with (
        opened(url, **settings) as store,
        replica(url, **settings) as one,
        replica(url, **settings),
    ):
        for n in range(16):
            await put(store, embedding(n), size=500)
        await eventually(partial(eased, store))
        for n in range(100, 108):
            await put(store, embedding(n), size=500)
            await eventually(partial(eased, store))
        assert (await store.usage()).entries >= 12

        def found():
            nearest = start(one, embedding(107))
            return nearest is not None and nearest.similarity > 0.99

        await eventually(found)


async def test_used_entry_outlasts_those_that_were_not(url):
    settings = {"max_bytes": 20_000}
    async with opened(url, **settings) as store, replica(url, **settings) as known:
        first = await put(store, ROW, size=500)
        for n in range(1, 12):
            await put(store, embedding(n), size=500)
        await eventually(lambda: len(known) == 12)  # Uses before it follows are not told.
        for _ in range(8):
            await store.used(first.key, 4)

        def was_used():
            slot = known._catalogue.table.slot(first.key)
            return known._catalogue.table._rows["uses"][slot] > 7

        await eventually(was_used)
        for n in range(100, 106):
            await put(store, embedding(n), size=500)
            await eventually(partial(eased, store))
        assert start(known, ROW).key == first.key


async def test_what_expires_is_found_no_longer_and_leaves_the_store(url):
    ahead = 0.0

    def clock():
        return time.time() + ahead

    async with opened(url, clock=clock) as store, replica(url, clock=clock) as known:
        await put(store, ROW, lives=600.0)
        lasting = await put(store, embedding(1, like=ROW, share=0.3))
        await eventually(lambda: len(known) == 2)
        assert start(known, ROW).key != lasting.key
        ahead = 601.0
        assert start(known, ROW).key == lasting.key

        async def left():
            return (await store.usage()).entries == 1

        await eventually(left)


async def test_foreign_entry_is_not_found_by_another_tenant(url):
    async with opened(url) as store, replica(url) as known:
        await put(store, ROW, scope="tenant-b")
        await eventually(lambda: len(known) == 1)
        assert start(known, ROW, scope="tenant-b") is not None
        assert start(known, ROW) is None


async def test_losing_redis_keeps_serving_from_memory_and_recovers(tmp_path):
    async with (
        redis_server(tmp_path) as server,
        opened(server.url) as store,
        replica(server.url) as known,
    ):
        one = await put(store, ROW)
        await eventually(lambda: len(known) == 1)
        server.stop()
        assert start(known, ROW).key == one.key
        await server.start()
        # It kept nothing: what was in it is gone, and is told so.
        await eventually(lambda: len(known) == 0)
        again = await put(store, ROW)
        await eventually(lambda: len(known) == 1)
        assert start(known, ROW).key == again.key


async def test_whether_the_store_answers_is_known_without_a_request(tmp_path):
    async with redis_server(tmp_path) as server, replica(server.url) as known:
        await eventually(lambda: known.store_answers)
        server.stop()
        await eventually(lambda: known.store_answers is False)
        await server.start()
        await eventually(lambda: known.store_answers)
