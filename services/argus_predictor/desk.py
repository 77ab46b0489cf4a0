"""Where prompts wait for the one thread that reads them.

Model: the event loop puts calls into a bounded queue; a thread takes them in their order, skips
those whose deadline is over or whose caller is gone, and hands each result back to the loop. The
loop never waits. Who would not be served in time is refused at once: what waits is reckoned by its
size, at the pace of late.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from argus_core.errors import DeadlineMissed, Exhausted

T = TypeVar("T")

LIMIT = 1024
"""Calls that may wait."""
_WEIGHT = 0.1
"""Of a new call in the pace."""
_FIRST = 0.002
"""Seconds that a call of size 1 is taken to need before any was seen."""


@dataclass(frozen=True, kw_only=True)
class _Call(Generic[T]):
    work: Callable[[], T]
    size: float
    deadline: float
    result: Future[T]


class Desk:
    """See the module; `start` once, `close` once."""

    def __init__(self, *, limit: int = LIMIT, clock: Callable[[], float] = time.monotonic) -> None:
        self._calls: queue.Queue[_Call[Any] | None] = queue.Queue(maxsize=limit)
        self._clock, self._pace = clock, _FIRST
        self._ahead, self._lock = 0.0, threading.Lock()
        """Sizes of what waits or is under way, together."""
        self._thread = threading.Thread(target=self._run, name="desk", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def close(self) -> None:
        """End after the call under way; those that wait are abandoned."""
        while True:
            try:
                self._calls.put_nowait(None)
            except queue.Full:
                self._drop()
            else:
                return

    @property
    def waiting(self) -> int:
        """Calls that wait."""
        return self._calls.qsize()

    async def do(self, work: Callable[[], T], *, within: float, size: float = 1.0) -> T:
        """Have the thread do something.

        Args:
            work: what; short, as all others wait for it.
            within: seconds after which nobody needs the result.
            size: how much there is to do, of its kind; more than 0.

        Raises:
            Exhausted: it would not be done in time, by what waits.
            DeadlineMissed: it was not done in time.
        """
        expected = self._pace * (self._ahead + size)
        if expected > within:
            raise Exhausted(
                f"{self.waiting} prompts wait, which take {expected:.3f} s", retry_after=expected
            )
        call = _Call(work=work, size=size, deadline=self._clock() + within, result=Future())
        try:
            self._calls.put_nowait(call)
        except queue.Full as error:
            raise Exhausted("too many prompts wait", retry_after=expected) from error
        self._count(size)
        return await asyncio.wrap_future(call.result)

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            self._answer(call)
            self._count(-call.size)

    def _count(self, size: float) -> None:
        with self._lock:
            self._ahead += size

    def _answer(self, call: _Call[Any]) -> None:
        if not call.result.set_running_or_notify_cancel():
            return  # The caller is gone.
        began = self._clock()
        if began >= call.deadline:
            call.result.set_exception(DeadlineMissed("the deadline passed while it waited"))
            return
        try:
            result = call.work()
        except Exception as error:  # noqa: BLE001 - the future carries it
            call.result.set_exception(error)
        else:
            call.result.set_result(result)
        self._pace += _WEIGHT * ((self._clock() - began) / call.size - self._pace)

    def _drop(self) -> None:
        try:
            call = self._calls.get_nowait()
        except queue.Empty:
            return
        if call is not None:
            call.result.cancel()
