"""A directory that hangs, is ruined or removed costs latents, and nothing else."""

import asyncio
import contextlib
import os
import random
import shutil
import sqlite3
import threading
import time

import pytest

from argus_latents.store import StoreFailed
from helpers import eventually
from latents_support import HANGS, PATIENCE, Folder, Following, got, opened, put_one


async def test_a_directory_that_hangs_is_given_up_and_comes_back(tmp_path):
    folder = Folder(tmp_path / "latents")
    async with opened(folder.url, timeout=PATIENCE) as store, opened(folder.url) as patient:
        entry, latent = await put_one(patient)
        other, of_other = await put_one(patient, seed=1)
        frame = await folder.read(entry.key)
        folder.file(entry.key).unlink()
        # Reading waits until someone writes: a disk that does not answer.
        os.mkfifo(folder.file(entry.key))
        both = (got(store, entry) for _ in "ab")
        async with asyncio.timeout(HANGS):
            outcomes = await asyncio.gather(*both, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [StoreFailed] * 2
        assert await got(store, other) == of_other, "others are read meanwhile"
        release = threading.Thread(target=folder.file(entry.key).write_bytes, args=(frame,))
        release.start()
        release.join(10)
        folder.file(entry.key).unlink()
        await folder.write(entry.key, frame)
        assert await got(store, entry) == latent


async def test_a_catalogue_that_another_holds_is_given_up_and_keeps_nothing(tmp_path):
    folder = Folder(tmp_path / "latents")
    async with opened(folder.url, timeout=PATIENCE) as store, opened(folder.url) as patient:
        await put_one(patient)
        holder = sqlite3.connect(folder.path / "catalogue.sqlite", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        async with asyncio.timeout(HANGS):
            with pytest.raises(StoreFailed):
                await put_one(store)
            with pytest.raises(StoreFailed):
                await store.lead("x", 1.0)
        assert (await patient.usage()).entries == 1, "what only reads does not wait"
        holder.execute("ROLLBACK")
        holder.close()

        async def well() -> bool:
            with contextlib.suppress(StoreFailed):
                return await store.lead("x", 1.0)
            return False

        await eventually(well)
        await put_one(patient)
        assert (await patient.usage()).entries == 2


@pytest.mark.parametrize("ruin", ["head", "middle", "all", "cut", "foreign", "gone"])
async def test_a_ruined_catalogue_is_begun_anew(tmp_path, ruin):
    folder = Folder(tmp_path / "latents")
    async with opened(folder.url) as store:
        before = [(await put_one(store, seed=n))[0] for n in range(50)]
    spoil(folder.path / "catalogue.sqlite", ruin)
    async with opened(folder.url) as store:
        follower = Following(store)
        entry, latent = await put_one(store, seed=99)
        assert await got(store, entry) == latent
        entries = (await store.usage()).entries
        await eventually(lambda: entry.key in follower.keys and len(follower.keys) == entries)
        assert await got(store, before[0]) is not None, "the latents themselves are not touched"
        await follower.end()


def spoil(path, how):
    data = path.read_bytes()
    match how:
        case "head":
            path.write_bytes(bytes(100) + data[100:])
        case "middle":
            path.write_bytes(data[:4096] + random.Random(5).randbytes(len(data) - 4096))
        case "all":
            path.write_bytes(b"\xff" * len(data))
        case "cut":
            path.write_bytes(data[: len(data) // 3])
        case "foreign":
            path.unlink()
            with contextlib.closing(sqlite3.connect(path)) as other:
                other.execute("CREATE TABLE something (else_ TEXT)")
        case "gone":
            path.unlink()


async def test_a_catalogue_begun_anew_by_one_is_noticed_by_those_who_had_it_open(tmp_path):
    folder = Folder(tmp_path / "latents")
    async with opened(folder.url) as one, opened(folder.url) as other:
        old = [(await put_one(one, seed=n))[0].key for n in range(3)]
        follower = Following(other)
        await eventually(lambda: follower.keys == set(old))
        for part in folder.path.glob("catalogue.sqlite*"):
            part.unlink()
        entry, _ = await put_one(one, seed=9)
        # All there is, told again: what is gone comes first, and the word that this was all, last.
        await eventually(lambda: follower.complete == 2 and follower.keys == {entry.key})
        await follower.end()


async def test_files_that_no_entry_knows_are_removed_once_they_are_old(tmp_path):
    folder = Folder(tmp_path / "latents")
    async with opened(folder.url) as store:
        kept, latent = await put_one(store)
    orphan, half = folder.path / "aa" / ("aa" * 16 + ".2.latents"), folder.path / "aa" / ".x.tmp"
    young = folder.path / "aa" / ("ab" * 16 + ".2.latents")
    orphan.parent.mkdir(exist_ok=True)
    for path in (orphan, half, young):
        path.write_bytes(b"left behind")
    for path in (orphan, half, folder.file(kept.key)):
        os.utime(path, (time.time() - 3600, time.time() - 3600))
    async with opened(folder.url) as store:
        await put_one(store, seed=1)
        await eventually(lambda: not orphan.exists() and not half.exists())
        assert young.exists()
        assert await got(store, kept) == latent


async def test_a_directory_that_cannot_be_written_fails_and_one_removed_comes_back(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    async with opened(f"directory:{tmp_path / 'file' / 'latents'}") as store:
        with pytest.raises(StoreFailed):
            await put_one(store)
    folder = Folder(tmp_path / "latents")
    async with opened(folder.url) as store:
        lost, _ = await put_one(store)
        shutil.rmtree(folder.path)
        assert await got(store, lost) is None
        entry, latent = await put_one(store, seed=1)
        assert await got(store, entry) == latent
