"""The latent store as a worker sees it: starts are fetched, captures kept, neither at all costs.

Model: a start is fetched before its order begins, within a share of the time that the image has.
Captures are written by one task behind a bounded queue, after the image was sent. What the store
does not do, in time or at all, is counted and done without.

Invariants: no image waits for a write; nothing unsound ever becomes a start; at most
`MOST_WAITING` entries and `MOST_BYTES` wait to be written.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import dataclass, field, replace

from argus_core.errors import NotFound
from argus_latents.store import Entry, Store, StoreFailed, StoreFull
from argus_rpc import tracing
from argus_worker.latents import unpack
from argus_worker.order import Drawn, Order
from argus_worker.tally import Tally

LONGEST_FETCH, FETCH_SHARE = 1.0, 0.1
"""A fetch may take so many seconds, or this share of the time that is left, whichever is less."""
MOST_WAITING, MOST_BYTES = 32, 64 * 2**20
"""To be written; what comes on top is dropped."""


@dataclass(frozen=True, kw_only=True)
class Promised:
    """An entry that there is room for until it is written."""

    entry: Entry
    latents: dict[int, bytes]
    context: Context = field(default_factory=copy_context, repr=False)
    """Of the request that it was captured in, whose trace goes on with it."""


@dataclass(frozen=True, kw_only=True)
class _Use:
    """To be told of."""

    key: str
    step: int


@dataclass(frozen=True, kw_only=True)
class _Mend:
    """To be forgotten if it is of no use to anyone, or it would be tried again and again."""

    key: str
    step: int


class Shelf:
    """Fetches starts, and keeps captures; made and used on one event loop."""

    def __init__(self, store: Store, *, time_to_live: float, clock: Callable[[], float]) -> None:
        """Begin to write; `time_to_live` in seconds, `clock` tells seconds since 1970."""
        self._store, self._time_to_live, self._clock = store, time_to_live, clock
        self.tally = Tally(store)
        self._queue: asyncio.Queue[Promised | _Use | _Mend] = asyncio.Queue()
        self._waiting = self._bytes = 0
        self._open = True
        self._writer = asyncio.ensure_future(self._write())

    async def fetch(self, order: Order, *, time_left: float) -> tuple[Order, float]:
        """The order with the start that it names by key, and the seconds that fetching took.

        Raises:
            NotFound: the store does not give it, sound and in time.
        """
        began = asyncio.get_running_loop().time()
        with tracing.span("latents.fetch", step=order.skipped_steps):
            data = await self._get(order, min(LONGEST_FETCH, FETCH_SHARE * time_left))
        family = order.held.family
        try:
            shape = family.latent_shape(order.width, order.height)
            start = unpack(data, shape=shape, dtype=family.dtype)
        except ValueError as error:
            self.tally.count("unsound")
            raise NotFound(f"start: what the latent store has for it {error}") from error
        self.tally.count("fetched")
        return replace(order, start=start), asyncio.get_running_loop().time() - began

    def used(self, order: Order) -> None:
        """Have others told that an image was begun from the order's start; not waited for."""
        self._tell(_Use(key=order.start_key, step=order.skipped_steps))

    def promise(self, order: Order, drawn: Drawn) -> Promised | None:
        """Room for what was captured, to be given to `keep`; None where it is dropped."""
        wish = order.keep
        if wish is None or not drawn.captured:
            return None
        latents = {kept.step: kept.data for kept in drawn.captured}
        size = sum(map(len, latents.values()))
        full = self._waiting >= MOST_WAITING or self._bytes + size > MOST_BYTES
        if full or not self._open:
            self.tally.count("dropped")
            return None
        now = self._clock()
        entry = Entry(
            key=secrets.token_hex(16),
            scope=order.scope,
            compatibility=order.compatibility,
            steps=tuple(sorted(latents)),
            embedding=wish.embedding,
            encoder=wish.encoder,
            bytes=size,
            seconds_per_step=drawn.denoise / (order.steps - order.skipped_steps),
            created=now,
            expires=now + (wish.time_to_live or self._time_to_live),
        )
        self._waiting, self._bytes = self._waiting + 1, self._bytes + size
        return Promised(entry=entry, latents=latents)

    def keep(self, promised: Promised) -> None:
        """Have it written; not waited for."""
        self._queue.put_nowait(promised)

    async def stop(self, grace: float) -> None:
        """Take no more, give what waits `grace` seconds, and let go of the store."""
        self._open = False
        try:
            async with asyncio.timeout(grace):
                await self._queue.join()
        except TimeoutError:
            self.tally.count("dropped", self._waiting)
        self._writer.cancel()
        await self._store.close()

    def _tell(self, item: _Use | _Mend) -> None:
        if self._open and self._waiting < MOST_WAITING:
            self._waiting += 1
            self._queue.put_nowait(item)

    async def _get(self, order: Order, seconds: float) -> bytes:
        try:
            async with asyncio.timeout(seconds):
                data = await self._store.get(
                    order.start_key,
                    order.skipped_steps,
                    scope=order.scope,
                    compatibility=order.compatibility,
                )
        except (StoreFailed, TimeoutError) as error:
            self.tally.failed(error)
            raise NotFound("start: the latent store does not answer in time") from error
        self.tally.answered()
        if data is None:
            self._tell(_Mend(key=order.start_key, step=order.skipped_steps))
            raise NotFound("start: the latent store has no sound latent of this key for it")
        return data

    async def _write(self) -> None:
        while True:
            item = await self._queue.get()
            try:
                await self._do(item)
            except StoreFull:
                self.tally.answered()
                self.tally.count("full")
            except StoreFailed as error:
                self.tally.failed(error)
            except Exception as error:  # noqa: BLE001 - the next may go well
                self.tally.failed(error)
            finally:
                self._waiting -= 1
                self._bytes -= item.entry.bytes if isinstance(item, Promised) else 0
                self._queue.task_done()

    async def _do(self, item: Promised | _Use | _Mend) -> None:
        if isinstance(item, _Use):
            await self._store.used(item.key, item.step)
            return
        if isinstance(item, _Mend):
            await self._store.mend(item.key, item.step)
            return
        loop = asyncio.get_running_loop()
        await loop.create_task(self._put(item), context=item.context)
        self.tally.answered()
        self.tally.count("kept")

    async def _put(self, item: Promised) -> None:
        with tracing.span("latents.keep", bytes=item.entry.bytes):
            await self._store.put(item.entry, item.latents)
