"""The latent store of one machine: files in a directory, and a SQLite catalogue beside them.

Model: files are read and written by some threads, the catalogue by one of its own; processes meet
in the file system alone. An entry is put by writing its files, then cataloguing it; it is deleted
the other way round. So a crash leaves files without an entry, which are swept up, never an entry
that was not whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from pathlib import Path

from argus_latents.catalogue import Catalogue
from argus_latents.checks import check_entry
from argus_latents.database import Database
from argus_latents.files import ORPHANED, Files, is_key, remove_orphans
from argus_latents.follow import Follower, Numbered, Page, Place
from argus_latents.frame import Label, is_spoilt, seal_all, unseal
from argus_latents.misses import Miss, Reason
from argus_latents.store import Change, Entry, StoreFailed, Usage
from argus_latents.threads import Threads

log = logging.getLogger(__name__)


class DirectoryStore:
    """A `Store` in a directory."""

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int,
        timeout: float,
        clock: Callable[[], float],
        secret: bytes,
    ) -> None:
        """Touch nothing yet; `clock` tells seconds since 1970."""
        self.misses: Counter[Reason] = Counter()
        self._timeout, self._clock, self._secret = timeout, clock, secret
        self._files = Files(folder)
        self._database = Database(folder, patience=timeout)
        self._catalogue = Catalogue(self._database, max_bytes=max_bytes)
        self._file_threads = Threads(4, name="latent-files")
        self._catalogue_thread = Threads(1, name="latent-catalogue")
        self._owner = secrets.token_hex(8)
        self._swept = -ORPHANED
        self._tasks: set[asyncio.Task[None]] = set()

    async def put(self, entry: Entry, latents: Mapping[int, bytes]) -> None:
        """See `Store.put`."""
        check_entry(entry, latents)
        ends = self._now() + self._timeout
        files, catalogue, now = self._files, self._catalogue, self._clock()
        expired = await self._catalogue_thread.run(
            lambda: catalogue.make_room(entry.bytes, now=now), seconds=self._timeout
        )

        def write() -> None:
            files.remove(expired)
            files.write(entry.key, seal_all(entry, latents, self._secret))

        def unwrite(_: object = None) -> None:
            files.remove({entry.key: entry.steps})

        def forget(_: object) -> None:
            catalogue.remove([entry.key])
            unwrite()

        await self._file_threads.run(write, seconds=ends - self._now(), undo=unwrite)
        try:
            await self._catalogue_thread.run(
                lambda: catalogue.add(entry),
                seconds=ends - self._now(),
                undo=forget,
            )
        except StoreFailed:
            self._spawn(lambda: self._file_threads.run(unwrite, seconds=self._timeout))
            raise
        self._sweep()

    async def get(self, key: str, step: int, *, scope: str, compatibility: str) -> bytes | None:
        """See `Store.get`."""
        label = Label(key=key, step=step, scope=scope, compatibility=compatibility)
        now = self._clock()

        def read() -> bytes:
            if not is_key(key):
                raise Miss(Reason.KEY)
            frame = self._files.read(key, step)
            if frame is None:
                raise Miss(Reason.MISSING)
            return unseal(frame, label, now=now, secret=self._secret)

        try:
            return await self._file_threads.run(read, seconds=self._timeout)
        except Miss as miss:
            self.misses[miss.reason] += 1
            return None

    async def used(self, key: str, step: int) -> None:
        """See `Store.used`."""
        at = self._clock()
        try:
            await self._catalogue_thread.run(
                lambda: self._catalogue.used(key, step, at=at), seconds=self._timeout
            )
        except StoreFailed as error:
            log.debug("a use was not told: %s", error)

    async def delete(self, keys: Collection[str]) -> None:
        """See `Store.delete`."""
        ends = self._now() + self._timeout
        gone = await self._catalogue_thread.run(
            lambda: self._catalogue.remove(keys), seconds=self._timeout
        )
        await self._file_threads.run(lambda: self._files.remove(gone), seconds=ends - self._now())

    async def mend(self, key: str, step: int) -> None:
        """See `Store.mend`."""

        def is_of_no_use() -> bool:
            frame = self._files.read(key, step)
            if frame is None:
                return not self._files.has(key)
            return is_spoilt(frame, secret=self._secret)

        async def mended() -> None:
            if await self._file_threads.run(is_of_no_use, seconds=self._timeout):
                await self.delete([key])

        if is_key(key):
            await _quietly(mended)

    def changes(self) -> AsyncIterator[Sequence[Change]]:
        """See `Store.changes`."""
        return Follower(_Journal(self._catalogue, self._catalogue_thread, self._timeout)).changes()

    async def lead(self, name: str, seconds: float) -> bool:
        """See `Store.lead`."""
        now = self._clock()
        return await self._catalogue_thread.run(
            lambda: self._catalogue.lead(name, self._owner, now=now, until=now + seconds),
            seconds=self._timeout,
        )

    async def usage(self) -> Usage:
        """See `Store.usage`."""
        return await self._catalogue_thread.run(self._catalogue.usage, seconds=self._timeout)

    async def close(self) -> None:
        """See `Store.close`."""
        for task in self._tasks:
            task.cancel()
        with contextlib.suppress(StoreFailed):
            await self._catalogue_thread.run(self._database.close, seconds=self._timeout)
        self._file_threads.close()
        self._catalogue_thread.close()

    def _sweep(self) -> None:
        """Now and then, look for files that no entry knows; nobody waits for it."""
        if self._now() - self._swept < ORPHANED:
            return
        self._swept = self._now()
        self._spawn(self._swept_up)

    async def _swept_up(self) -> None:
        files, threads, now = self._files, self._file_threads, self._clock()
        old = await threads.run(lambda: files.old(now=now), seconds=ORPHANED)
        # Asked after looking: what is put since then is young.
        known = await self._catalogue_thread.run(self._catalogue.keys, seconds=ORPHANED)
        if count := await threads.run(lambda: remove_orphans(old, known), seconds=ORPHANED):
            log.info("removed %d files of latents that no entry knew", count)

    def _spawn(self, work: Callable[[], Awaitable[object]]) -> None:
        task = asyncio.ensure_future(_quietly(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


class _Journal:
    """The catalogue, as a follower wants it."""

    def __init__(self, catalogue: Catalogue, thread: Threads, timeout: float) -> None:
        self._catalogue, self._thread, self._timeout = catalogue, thread, timeout

    async def place(self) -> Place:
        return await self._thread.run(self._catalogue.place, seconds=self._timeout)

    async def page(self, cursor: int | None) -> Page[int]:
        return await self._thread.run(
            lambda: self._catalogue.page(cursor or 0), seconds=self._timeout
        )

    async def since(self, place: Place) -> Sequence[Numbered] | None:
        return await self._thread.run(lambda: self._catalogue.since(place), seconds=self._timeout)


async def _quietly(work: Callable[[], Awaitable[object]]) -> None:
    """What nobody waits for may fail."""
    try:
        await work()
    except StoreFailed as error:
        log.debug("the latent store was not tidied up: %s", error)
