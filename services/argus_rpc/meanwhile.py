"""Something that goes on while something else does, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def under_way(*steps: Coroutine[Any, Any, Any]) -> AsyncIterator[None]:
    """Have these go on for the length of a block; what they end with is nobody's concern."""
    tasks = [asyncio.create_task(step) for step in steps]
    try:
        yield
    finally:
        await call_off(tasks)


async def call_off(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel these, and wait until they are over; what they end with is nobody's concern."""
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
