"""What every latent store promises, held to by a directory and by a real Redis."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest

from argus_core.errors import InvalidRequest
from argus_core.spec import LatentStore
from argus_latents import open_store
from argus_latents.misses import Reason
from argus_latents.store import StoreFull
from helpers import eventually
from latents_support import FITS, SCOPE, Following, entry_of, open_at, some_latents


@asynccontextmanager
async def opened(*urls, **settings):
    """Stores, as separate processes would open them."""
    stores = [open_at(url, **settings) for url in urls]
    try:
        yield stores if len(stores) > 1 else stores[0]
    finally:
        for store in stores:
            await store.close()


@asynccontextmanager
async def followed(store):
    follower = Following(store)
    try:
        yield follower
    finally:
        await follower.end()


async def got(store, entry, step=2, scope=SCOPE, compatibility=FITS):
    return await store.get(entry.key, step, scope=scope, compatibility=compatibility)


async def put(store, *steps, **changed):
    latents = some_latents(*steps)
    entry = entry_of(latents, **changed)
    await store.put(entry, latents)
    return entry, latents


async def test_what_was_put_is_got_by_every_other_byte_for_byte(url):
    async with opened(url, url) as (one, other):
        entry, latents = await put(one, 2, 5)
        assert [await got(other, entry, step) for step in (2, 5)] == [latents[2], latents[5]]
        assert not other.misses
        assert (await other.usage()).bytes == entry.bytes
        assert (await other.usage()).entries == 1


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"scope": "tenant-b"}, Reason.SCOPE),
        ({"compatibility": FITS + ";lora=x"}, Reason.COMPATIBILITY),
        ({"step": 3}, Reason.MISSING),
    ],
)
async def test_what_is_asked_for_otherwise_than_it_was_put_is_a_miss(url, asked, reason):
    async with opened(url) as store:
        entry, _ = await put(store)
        assert await got(store, entry, **asked) is None
        assert store.misses == {reason: 1}


@pytest.mark.parametrize("key", ["", "..", "../" * 8 + "etc/passwd", "A" * 32, "é" * 32, "0" * 33])
async def test_what_is_no_key_is_a_miss_and_no_path(url, key):
    async with opened(url) as store:
        assert await store.get(key, 1, scope=SCOPE, compatibility=FITS) is None
        assert store.misses == {Reason.KEY: 1}


async def test_an_entry_that_contradicts_its_latents_is_refused(url):
    async with opened(url) as store:
        for wrong in ({"key": "../../x"}, {"steps": (1, 2)}, {"bytes": 1}):
            with pytest.raises(ValueError, match=r"key|steps|bytes"):
                await store.put(entry_of(some_latents(), **wrong), some_latents())
        assert (await store.usage()).entries == 0


async def test_what_has_expired_is_a_miss_and_makes_room(url):
    ahead = 0.0
    async with opened(url, clock=lambda: time.time() + ahead, max_bytes=64) as store:
        entry, _ = await put(store, expires=time.time() + 60)
        async with followed(store) as follower:
            await eventually(lambda: entry.key in follower.keys)
            ahead = 61.0
            assert await got(store, entry) is None
            assert store.misses == {Reason.EXPIRED: 1}
            second, _ = await put(store, expires=time.time() + 120)
            await eventually(lambda: follower.keys == {second.key})
        assert (await store.usage()).entries == 1


async def test_a_full_store_says_so_until_something_is_deleted(url):
    async with opened(url, max_bytes=64 * 3) as store:
        entries = [(await put(store))[0] for _ in range(3)]
        with pytest.raises(StoreFull, match="192 bytes"):
            await put(store)
        assert (await store.usage()).bytes == 192
        await store.delete([entries[0].key, "0" * 32])
        entry, latents = await put(store)
        assert await got(store, entry) == latents[2]
        assert await got(store, entries[0]) is None
        assert await got(store, entries[1]) is not None


async def test_what_is_deleted_twice_is_gone_once(url):
    async with opened(url) as store:
        entry, _ = await put(store)
        for _ in range(2):
            await store.delete([entry.key])
        usage = await store.usage()
        assert (usage.entries, usage.bytes) == (0, 0)


async def test_a_follower_hears_all_there_is_then_what_changes(url):
    async with opened(url, url) as (one, other):
        before = {(await put(one))[0].key for _ in range(3)}
        async with followed(other) as follower:
            await eventually(lambda: follower.complete)
            assert follower.keys == before
            entry, _ = await put(one, 2, 7)
            await one.used(entry.key, 7)
            await one.delete(before)
            await eventually(lambda: follower.keys == {entry.key})
            assert [(use.key, use.step) for use in follower.used] == [(entry.key, 7)]
            assert follower.told[3].entry == entry, "nothing of it is lost on the way"
            assert follower.complete == 1


async def test_a_follower_is_told_in_bounded_batches(url):
    async with opened(url) as store:
        await asyncio.gather(*(put(store) for _ in range(60)))
        for _ in range(9):
            await asyncio.gather(*(put(store) for _ in range(60)))
        async with followed(store) as follower:
            await eventually(lambda: follower.complete)
            assert len(follower.keys) == 600
            assert 100 < follower.largest <= 300


async def test_one_alone_leads_until_its_time_is_over(url):
    ahead = 0.0
    async with opened(url, url, clock=lambda: time.time() + ahead) as (one, other):
        assert await one.lead("evictor", 60.0)
        assert not await other.lead("evictor", 60.0)
        assert await other.lead("another", 60.0)
        assert await one.lead("evictor", 0.2), "again, by the same"
        ahead = 0.3
        assert await eventually(lambda: other.lead("evictor", 60.0))
        assert not await one.lead("evictor", 60.0)


@pytest.mark.parametrize("wrong", ["", "directory:", "ftp://x", "redis://h:port/0", "/var/x"])
def test_a_url_that_names_no_store_is_refused(wrong):
    with pytest.raises(InvalidRequest, match=r"latentStore\.url"):
        open_store(LatentStore.model_construct(url=wrong, max_bytes=1), timeout=1.0)
