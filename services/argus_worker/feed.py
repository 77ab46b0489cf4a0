"""Changes told to any number of watchers, in order.

A watcher that reads too slowly loses the oldest of what it has not read, never the newest.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")
UNREAD = 64
"""Changes kept for a watcher that has not come to read them."""


class Watcher(Generic[T]):
    """One reader of a feed."""

    def __init__(self) -> None:
        self._unread: deque[T] = deque(maxlen=UNREAD)
        self._filled = asyncio.Event()
        self._closed = False

    @property
    def ended(self) -> bool:
        """Whether the feed is closed and all was read."""
        return self._closed and not self._unread

    async def next(self, patience: float) -> T | None:
        """The oldest value unread, or None where none came for `patience` seconds."""
        if not self._unread and not self._closed:
            self._filled.clear()
            try:
                async with asyncio.timeout(patience):
                    await self._filled.wait()
            except TimeoutError:
                return None
        return self._unread.popleft() if self._unread else None

    def push(self, value: T) -> None:
        """Add a value."""
        self._unread.append(value)
        self._filled.set()

    def close(self) -> None:
        """Tell that no more values come."""
        self._closed = True
        self._filled.set()


class Feed(Generic[T]):
    """Publishes values to watchers; all on one event loop."""

    def __init__(self) -> None:
        self._watchers: set[Watcher[T]] = set()
        self._closed = False

    @contextmanager
    def subscribe(self) -> Iterator[Watcher[T]]:
        """A watcher of every value from now on."""
        watcher: Watcher[T] = Watcher()
        if self._closed:
            watcher.close()
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    def publish(self, value: T) -> None:
        """Tell every watcher."""
        for watcher in self._watchers:
            watcher.push(value)

    def close(self) -> None:
        """Have watchers end once they have read what there is."""
        self._closed = True
        for watcher in self._watchers:
            watcher.close()
