"""Blocking I/O off the event loop, within a time.

Model: jobs wait in a queue for one of a few threads. A thread that hangs in the kernel cannot be
ended, so its job is given up on instead: whoever waited is told, and what the job brings about
too late is undone by its thread. Threads are daemons: none keeps the process from ending.

Invariants: at most `bound` jobs are waiting or running; a job's outcome is either returned or
undone, never both.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from argus_latents.store import StoreFailed

T = TypeVar("T")


class _Job:
    """A call on its way through a thread."""

    def __init__(self, call: Callable[[], Any], undo: Callable[[Any], object] | None) -> None:
        self._call, self._undo = call, undo
        self._loop = asyncio.get_running_loop()
        self.done: asyncio.Future[None] = self._loop.create_future()
        self._lock = threading.Lock()
        self._given_up, self._ended = threading.Event(), False
        self._value: Any = None
        self._error: Exception | None = None

    def run(self) -> None:
        """Do it; in the thread."""
        if self._given_up.is_set():
            return
        try:
            value, error = self._call(), None
        except Exception as raised:  # noqa: BLE001 - told to who waits
            value, error = None, raised
        with self._lock:
            self._value, self._error, self._ended = value, error, True
        if self._given_up.is_set() and error is None and self._undo is not None:
            with contextlib.suppress(Exception):  # It was told to have failed as it is.
                self._undo(value)
        try:
            self._loop.call_soon_threadsafe(self._tell)
        except RuntimeError:  # The loop is closed: nobody waits.
            return

    def _tell(self) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def give_up(self) -> bool:
        """Wait no longer; False where it has ended already."""
        with self._lock:
            if self._ended:
                return False
            self._given_up.set()
            return True

    def outcome(self) -> Any:
        """What it returned, or raises what it raised."""
        if self._error is not None:
            raise self._error
        return self._value


class Threads:
    """A few threads that do jobs in the order of their coming."""

    def __init__(self, count: int, *, name: str, bound: int = 64) -> None:
        self._count, self._name, self._bound = count, name, bound
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock, self._under_way, self._started = threading.Lock(), 0, 0

    async def run(
        self,
        call: Callable[[], T],
        *,
        seconds: float,
        undo: Callable[[T], object] | None = None,
    ) -> T:
        """What `call` returns or raises; `undo` gets what it returned too late.

        Raises:
            StoreFailed: it took longer than `seconds`, or too much is under way.
        """
        job = _Job(call, undo)
        self._submit(job)
        try:
            async with asyncio.timeout(seconds):
                await job.done
        except TimeoutError as error:
            if job.give_up():
                raise StoreFailed(f"took longer than {seconds:.3g} s") from error
        except asyncio.CancelledError:
            if not job.give_up() and undo is not None:
                with contextlib.suppress(StoreFailed):
                    self._submit(_Job(lambda: undo(job.outcome()), None))
            raise
        outcome: T = job.outcome()
        return outcome

    def close(self) -> None:
        """Have the threads end once they have done what waits."""
        for _ in range(self._started):
            self._queue.put(None)

    def _submit(self, job: _Job) -> None:
        with self._lock:
            if self._under_way >= self._bound:
                raise StoreFailed(f"{self._under_way} calls are under way already")
            self._under_way += 1
        self._queue.put(job)
        if self._started < min(self._count, self._under_way):
            self._started += 1
            threading.Thread(target=self._serve, name=self._name, daemon=True).start()

    def _serve(self) -> None:
        while (job := self._queue.get()) is not None:
            job.run()
            with self._lock:
                self._under_way -= 1
