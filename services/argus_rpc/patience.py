"""So many seconds for each of many waits, and one timer for them all.

A timer a wait costs more than most of what is waited for. As all have the same time, they are over
in the order in which they began, and the one timer is set for the oldest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Self


class Patience:
    """Lives on one event loop."""

    def __init__(self, seconds: float) -> None:
        """`seconds`: of each wait."""
        self.seconds = seconds
        self._waits: dict[Wait, float] = {}
        """When each is over, on the loop's clock; the oldest first."""
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """Waits under way."""
        return len(self._waits)

    def wait(self, then: Callable[[], object]) -> Wait:
        """A block that must not take longer: then `then` is called, once, and it is to end it."""
        return Wait(self, then)

    def begin(self, wait: Wait) -> None:
        """For `Wait` alone."""
        loop = asyncio.get_running_loop()
        due = self._waits[wait] = loop.time() + self.seconds
        if self._timer is None:
            self._timer = loop.call_at(due, self._look)

    def end(self, wait: Wait) -> None:
        """For `Wait` alone."""
        self._waits.pop(wait, None)

    def _look(self) -> None:
        loop, self._timer = asyncio.get_running_loop(), None
        now = loop.time()
        while self._waits:
            wait, due = next(iter(self._waits.items()))
            if due > now:
                self._timer = loop.call_at(due, self._look)
                return
            del self._waits[wait]
            wait.over = True
            wait.then()


class Wait:
    """See `Patience.wait`."""

    __slots__ = ("_patience", "over", "then")

    def __init__(self, patience: Patience, then: Callable[[], object]) -> None:
        self._patience, self.then = patience, then
        self.over = False
        """Whether it took too long."""

    def __enter__(self) -> Self:
        self._patience.begin(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._patience.end(self)
