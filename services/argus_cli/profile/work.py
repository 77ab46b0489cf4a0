"""Shares pieces of work out among workers; what a lost worker leaves, another takes.

Model: one task a worker takes a piece at a time. A piece that failed for want of the worker goes
back to the front; a worker that fails time and again, with nothing done between, is left out.
Both are bounded, so that it ends.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, Protocol, TypeVar

from argus_core.errors import ArgusError, DeadlineMissed, Exhausted, NotHeld, Unavailable
from argus_rpc.meanwhile import call_off

ATTEMPTS = 5
"""Times that a piece is begun."""
STRIKES = 4
"""Failures in a row after which a worker is left out."""
PAUSE = 0.5
"""Seconds that a worker rests after its first failure; twice as long after each further one."""
_PASSING = (Unavailable, NotHeld, DeadlineMissed, Exhausted)
"""What another try, or another worker, may do better."""


class Unit(Protocol):
    """A piece of work."""

    @property
    def key(self) -> str:
        """Unique among the pieces."""
        ...


U = TypeVar("U", bound=Unit)
R = TypeVar("R")


async def share_out(
    units: Sequence[U],
    workers: Sequence[str],
    do: Callable[[str, U], Awaitable[R]],
    done: Callable[[U, R], None],
) -> None:
    """Have `do` done for every piece, by some worker; `done` hears of each that is.

    Raises:
        ArgusError: a piece failed for good, or no worker is left; running work is cancelled.
    """
    shared = _Shared(units, do, done)
    tasks = [asyncio.create_task(shared.serve(worker)) for worker in workers]
    try:
        for ended in asyncio.as_completed(tasks):
            await ended
    finally:
        await call_off(tasks)
    if shared.waiting:
        raise Unavailable(f"no worker is left: {shared.last}") from shared.last


class _Shared(Generic[U, R]):
    def __init__(
        self,
        units: Sequence[U],
        do: Callable[[str, U], Awaitable[R]],
        done: Callable[[U, R], None],
    ) -> None:
        self.waiting = deque(units)
        self.last: ArgusError | None = None
        self._do, self._done = do, done
        self._running = 0
        self._changed = asyncio.Condition()
        self._begun: Counter[str] = Counter()

    async def serve(self, worker: str) -> None:
        strikes = 0
        while strikes < STRIKES and (unit := await self._take()) is not None:
            failed = await self._try(worker, unit)
            strikes = strikes + 1 if failed else 0
            if failed:
                await asyncio.sleep(PAUSE * 2 ** (strikes - 1))

    async def _take(self) -> U | None:
        """The next piece; None once all are done. Waits while others may yet give theirs back."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.waiting or not self._running)
            if not self.waiting:
                return None
            self._running += 1
            return self.waiting.popleft()

    async def _try(self, worker: str, unit: U) -> bool:
        """Whether the piece has to be tried again."""
        self._begun[unit.key] += 1
        failed = False
        try:
            self._done(unit, await self._do(worker, unit))
        except _PASSING as error:
            self.last = error
            if self._begun[unit.key] >= ATTEMPTS:
                raise
            failed = True
        async with self._changed:
            if failed:
                self.waiting.appendleft(unit)
            self._running -= 1
            self._changed.notify_all()
        return failed
