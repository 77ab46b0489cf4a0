"""The latent store of several machines: Redis 7 or later.

Model: what must happen together is one script (see `scripts`); what is read needs none. The
journal is read again every `POLL` seconds, so that no connection waits for long. A connection that
was lost is made anew, once within a call.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import contextmanager
from typing import Any

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import OutOfMemoryError, RedisError

from argus_latents import scripts
from argus_latents.checks import check_entry
from argus_latents.files import is_key
from argus_latents.follow import Follower
from argus_latents.frame import Label, is_spoilt, seal_all, unseal
from argus_latents.misses import Miss, Reason
from argus_latents.redis_journal import RedisJournal
from argus_latents.store import Change, Entry, StoreFailed, StoreFull, Usage
from argus_latents.wording import to_text

log = logging.getLogger(__name__)

JOURNAL = 65_536
"""Changes kept, about; a follower further behind than that begins anew."""
PREFIX = "argus:{latents}:"
_TABLES = ("totals", "entries", "sizes", "expiry", "journal")
_CONNECTIONS = 64


class RedisStore:
    """A `Store` in Redis."""

    def __init__(
        self,
        url: str,
        *,
        max_bytes: int,
        timeout: float,
        clock: Callable[[], float],
        secret: bytes,
    ) -> None:
        """Connect to nothing yet; `clock` tells seconds since 1970."""
        self.misses: Counter[Reason] = Counter()
        self._max_bytes, self._timeout = max_bytes, timeout
        self._clock, self._secret = clock, secret
        self._given_up: set[asyncio.Future[Any]] = set()
        self._owner, self._tables = secrets.token_hex(8), [PREFIX + name for name in _TABLES]
        pool = ConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            # A restart of Redis shows as a connection that is gone; that alone is tried again.
            retry=Retry(NoBackoff(), 1, supported_errors=(Disconnected,)),
        )
        self._redis: Any = Redis(connection_pool=pool)
        self._put = self._redis.register_script(scripts.PUT)
        self._delete = self._redis.register_script(scripts.DELETE)
        self._used = self._redis.register_script(scripts.USED)
        self._lead = self._redis.register_script(scripts.LEAD)

    async def put(self, entry: Entry, latents: Mapping[int, bytes]) -> None:
        """See `Store.put`."""
        check_entry(entry, latents)
        frames = seal_all(entry, latents, self._secret)
        arguments = [
            *(entry.key, to_text(entry), entry.bytes, self._max_bytes),
            *(repr(self._clock()), repr(entry.expires)),
            *(part for step_and_frame in frames.items() for part in step_and_frame),
        ]
        if not await self._run(self._put, [_latents(entry.key)], arguments):
            raise StoreFull(f"the store holds as much as its {self._max_bytes} bytes allow")

    async def get(self, key: str, step: int, *, scope: str, compatibility: str) -> bytes | None:
        """See `Store.get`."""
        label = Label(key=key, step=step, scope=scope, compatibility=compatibility)
        try:
            if not is_key(key):
                raise Miss(Reason.KEY)
            frame = await self._ask(lambda: self._redis.hget(_latents(key), step))
            if frame is None:
                raise Miss(Reason.MISSING)
            return unseal(frame, label, now=self._clock(), secret=self._secret)
        except Miss as miss:
            self.misses[miss.reason] += 1
            return None

    async def used(self, key: str, step: int) -> None:
        """See `Store.used`."""
        try:
            await self._run(self._used, [], [key, step, repr(self._clock())])
        except StoreFailed as error:
            log.debug("a use was not told: %s", error)

    async def delete(self, keys: Collection[str]) -> None:
        """See `Store.delete`."""
        await self._run(self._delete, [_latents(key) for key in keys], list(keys))

    async def mend(self, key: str, step: int) -> None:
        """See `Store.mend`."""
        if not is_key(key):
            return
        try:
            if await self._is_of_no_use(key, step):
                await self.delete([key])
        except StoreFailed as error:
            log.debug("an entry was not mended: %s", error)

    def changes(self) -> AsyncIterator[Sequence[Change]]:
        """See `Store.changes`."""
        return Follower(RedisJournal(self._redis, self._ask, PREFIX)).changes()

    async def lead(self, name: str, seconds: float) -> bool:
        """See `Store.lead`."""
        keys = [f"{PREFIX}lead:{name}"]
        arguments: list[Any] = [self._owner, max(1, round(seconds * 1000))]
        return bool(await self._ask(lambda: self._lead(keys=keys, args=arguments)))

    async def usage(self) -> Usage:
        """See `Store.usage`."""
        found = await self._ask(lambda: self._redis.hmget(self._tables[0], "entries", "bytes"))
        entries, held = (int(value or 0) for value in found)
        return Usage(entries=entries, bytes=held, max_bytes=self._max_bytes)

    async def close(self) -> None:
        """See `Store.close`."""
        await self._redis.aclose()
        await self._redis.connection_pool.disconnect()

    async def _is_of_no_use(self, key: str, step: int) -> bool:
        frame = await self._ask(lambda: self._redis.hget(_latents(key), step))
        if frame is None:
            return not await self._ask(lambda: self._redis.exists(_latents(key)))
        return is_spoilt(frame, secret=self._secret)

    async def _run(self, script: Any, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        common = [secrets.token_hex(8), JOURNAL]
        return await self._ask(
            lambda: script(keys=[*self._tables, *keys], args=[*common, *arguments])
        )

    async def _ask(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """The answer within the timeout, all connecting included.

        Raises:
            StoreFull, StoreFailed: there is none.
        """
        # In a task of its own: the client has been seen to swallow the cancellation of ours.
        asked = asyncio.ensure_future(call())
        try:
            await asyncio.wait([asked], timeout=self._timeout)
        finally:
            if not asked.done():
                self._given_up.add(asked)
                asked.add_done_callback(self._forget)
                asked.cancel()
        if asked in self._given_up:
            raise StoreFailed(f"Redis took longer than {self._timeout:.3g} s")
        with _translated():
            return asked.result()

    def _forget(self, asked: asyncio.Future[Any]) -> None:
        self._given_up.discard(asked)
        if not asked.cancelled():
            asked.exception()  # Looked at, so that nobody is warned of it.


@contextmanager
def _translated() -> Iterator[None]:
    # What Redis says may name the address, never the password.
    try:
        yield
    except TimeoutError as error:
        raise StoreFailed("Redis took too long") from error
    except RedisError as error:
        if isinstance(error, OutOfMemoryError) or str(error).startswith("OOM"):
            raise StoreFull("Redis has no memory left") from error
        raise StoreFailed(f"Redis: {error}") from error
    except OSError as error:
        raise StoreFailed(f"Redis cannot be reached: {error}") from error


def _latents(key: str) -> str:
    return f"{PREFIX}latents:{key}"
