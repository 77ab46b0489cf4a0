"""Events on their way from the engine's thread to the event loop.

One thread puts, one coroutine gets. The engine never waits: once `bound` events wait unread,
a newer progress event takes the place of the last one. No other event is ever dropped, and
there are at most two of those.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque

from argus_worker.order import Event, Progress


class Outbox:
    """The events of one order; made on the event loop that reads it."""

    def __init__(self, *, bound: int = 16) -> None:
        self._loop = asyncio.get_running_loop()
        self._bound, self._lock = bound, threading.Lock()
        self._events: deque[Event] = deque()
        self._filled = asyncio.Event()

    def put(self, event: Event) -> None:
        """Add an event; from the engine's thread."""
        with self._lock:
            full = len(self._events) >= self._bound
            if full and isinstance(event, Progress) and isinstance(self._events[-1], Progress):
                self._events.pop()
            self._events.append(event)
        call_soon(self._loop, self._filled.set)

    async def get(self, patience: float) -> Event:
        """The oldest event.

        Raises:
            TimeoutError: none came within `patience` seconds.
        """
        async with asyncio.timeout(patience):
            while True:
                with self._lock:
                    if self._events:
                        return self._events.popleft()
                    self._filled.clear()
                await self._filled.wait()


def call_soon(loop: asyncio.AbstractEventLoop, callback: object, *args: object) -> None:
    """Run a callback on the loop from any thread; a loop that is closed hears no more."""
    try:
        loop.call_soon_threadsafe(callback, *args)  # type: ignore[arg-type]
    except RuntimeError:
        if not loop.is_closed():
            raise
