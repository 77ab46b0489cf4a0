"""A latent store that is spoilt, forged or shared gives what was put, or nothing."""

import asyncio
import random
import subprocess
import sys
from pathlib import Path

import pytest_asyncio

from argus_latents.misses import Reason
from helpers import eventually
from latents_support import (
    FITS,
    SCOPE,
    Folder,
    Following,
    Server,
    got,
    opened,
    put_one,
    redis_server,
)


@pytest_asyncio.fixture(params=["directory", "redis"])
async def place(request, tmp_path):
    """Where a store is, and how to spoil it."""
    if request.param == "directory":
        yield Folder(tmp_path / "latents")
    else:
        async with redis_server(tmp_path) as server:
            yield Server(server)


async def test_every_entry_of_200_spoilt_at_another_byte_is_a_miss(place):
    draw = random.Random(11)
    async with opened(place.url) as store:
        entries = [(await put_one(store, size=2048, seed=n))[0] for n in range(200)]
        for entry in entries:
            frame = bytearray(await place.read(entry.key))
            frame[draw.randrange(len(frame))] ^= draw.randrange(1, 256)
            await place.write(entry.key, bytes(frame))
        assert {await got(store, entry) for entry in entries} == {None}
        assert store.misses.total() == 200
        assert set(store.misses) <= {
            *(Reason.CORRUPT, Reason.TRUNCATED, Reason.FORMAT, Reason.VERSION, Reason.SECRET)
        }


async def test_an_entry_spoilt_at_any_byte_is_a_miss(place):
    async with opened(place.url) as store:
        entry, latent = await put_one(store, size=16)
        frame = await place.read(entry.key)
        for position in range(len(frame)):
            spoilt = bytearray(frame)
            spoilt[position] ^= 0xFF
            await place.write(entry.key, bytes(spoilt))
            assert await got(store, entry) is None
        assert store.misses.total() == len(frame)
        await place.write(entry.key, frame)
        assert await got(store, entry) == latent


async def test_an_entry_cut_anywhere_or_grown_is_a_miss(place):
    async with opened(place.url) as store:
        entry, _ = await put_one(store, size=4096)
        frame = await place.read(entry.key)
        lengths = [0, 1, 7, 8, 21, 22, 23, 100, len(frame) - 4128, len(frame) // 2]
        for length in [*lengths, len(frame) - 33, len(frame) - 32, len(frame) - 1]:
            await place.write(entry.key, frame[:length])
            assert await got(store, entry) is None
        await place.write(entry.key, frame + b"\0")
        assert await got(store, entry) is None
        assert store.misses == {Reason.TRUNCATED: 14}


async def test_an_entry_is_forgotten_once_it_is_of_no_use(place):
    async with opened(place.url) as store:
        spoilt, sound = [(await put_one(store, seed=seed))[0] for seed in (1, 2)]
        frame = bytearray(await place.read(spoilt.key))
        frame[-1] ^= 1
        await place.write(spoilt.key, bytes(frame))
        for key, step in ((sound.key, 2), (sound.key, 3), ("../..", 2), ("0" * 32, 2)):
            await store.mend(key, step)
        assert (await store.usage()).entries == 2
        await store.mend(spoilt.key, 2)
        assert (await store.usage()).entries == 1
        assert await got(store, sound) is not None


async def test_another_tenants_entry_under_ones_own_key_is_never_a_hit(place):
    async with opened(place.url) as store:
        mine, _ = await put_one(store, seed=1)
        theirs, _ = await put_one(store, seed=2, scope="tenant-b")
        await place.write(mine.key, await place.read(theirs.key))
        assert await got(store, mine) is None
        assert await got(store, mine, scope="tenant-b") is None, "nor theirs under my key"
        assert store.misses == {Reason.KEY: 2}


async def test_what_another_without_the_secret_wrote_is_never_a_hit(place):
    async with opened(place.url, secret=b"ours") as store, opened(place.url) as stranger:
        poisoned, _ = await put_one(stranger)
        assert await got(store, poisoned) is None
        ours, latent = await put_one(store)
        assert await got(stranger, ours) is None
        assert await got(store, ours) == latent
        assert store.misses == stranger.misses == {Reason.SECRET: 1}
        for judge, entry in ((store, poisoned), (stranger, ours)):
            await judge.mend(entry.key, 2)
        assert (await store.usage()).entries == 2, "it is not for one to forget the other's"


async def test_two_processes_that_write_at_once_lose_nothing(place):
    program = str(Path(__file__).parent.parent / "latents_writer.py")
    command = [sys.executable, program, place.url, "40"]
    async with opened(place.url) as store:
        follower = Following(store)
        try:
            writers = [
                await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
                for _ in range(2)
            ]
            written = [(await writer.communicate())[0].decode().split() for writer in writers]
            keys = {key for lines in written for key in lines}
            assert [writer.returncode for writer in writers] == [0, 0]
            assert len(keys) == 80
            await eventually(lambda: follower.keys == keys)
            assert follower.largest > 0
            for key in keys:
                assert await store.get(key, 2, scope=SCOPE, compatibility=FITS) is not None
            assert (await store.usage()).entries == 80
        finally:
            await follower.end()
