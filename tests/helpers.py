"""What tests of several rooms share."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable


class Clock:
    """Stands still; a test sets `now`, in seconds."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


async def eventually(
    condition: Callable[[], object] | Callable[[], Awaitable[object]],
    timeout: float = 30.0,
    interval: float = 0.01,
) -> object:
    """Wait until `condition` holds, and return what it returned; fail after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        outcome = condition()
        if inspect.isawaitable(outcome):
            outcome = await outcome
        if outcome:
            return outcome
        if time.monotonic() > deadline:
            raise AssertionError(f"did not hold within {timeout:g} s")
        await asyncio.sleep(interval)
