"""Many images over one stream: `ExecuteMany`, made of what `Execute` does for one.

Model: a stream has a task that reads it, a task for each image under way, and a generator that
writes what they tell, as much at once as has come meanwhile. Invariants:

- of an image events are told until its result or its failure, which is the last; none is told of
  one that was cancelled;
- so many bytes wait to be sent at most, and one event more of each image; who draws on waits;
- when the stream ends, whatever ends it, nothing of it goes on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import grpc

from argus_core.errors import Exhausted, InvalidRequest, Unavailable
from argus_protos.v1 import worker_pb2
from argus_rpc.boundary import known
from argus_rpc.channel import MAX_MESSAGE_BYTES
from argus_rpc.errors import to_status
from argus_rpc.meanwhile import call_off

MOST = 1024
"""Images under way over one stream; each that is drawn holds a slot besides."""
_METHOD = "/argus.v1.WorkerService/ExecuteMany"
_MOST_BYTES = 64 * 1024 * 1024
"""That wait to be sent."""
_MOST_OF_ONE = MAX_MESSAGE_BYTES - 1024
"""Bytes of an event, so that it fits into a message."""
_MESSAGE_BYTES = 1024 * 1024
"""Of one message, but for an event that is larger."""

Context = grpc.aio.ServicerContext[Any, Any]
Execute = Callable[[worker_pb2.ExecuteRequest, Any], AsyncIterator[worker_pb2.ExecuteResponse]]


class Part:
    """What `Execute` may ask of its call, for one image of many: its request tells all."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[[Any], None]] = []

    def time_remaining(self) -> float | None:
        """Its request tells."""
        return None

    def invocation_metadata(self) -> tuple[()]:
        """None: who has some makes a call of its own."""
        return ()

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        """Called with this once the image is over."""
        self._callbacks.append(callback)

    def end(self) -> None:
        """It is over."""
        for callback in self._callbacks:
            callback(self)


class Many:
    """One stream: `serve` it once."""

    def __init__(self, execute: Execute) -> None:
        """`execute` draws one image."""
        self._execute = execute
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._events: deque[tuple[worker_pb2.ExecutionEvent, int]] = deque()
        """That are to be sent, and the bytes of each."""
        self._bytes = 0
        self._news, self._room = asyncio.Event(), asyncio.Event()
        self._over = False

    def close(self) -> None:
        """Take no more, and end once all that is under way has been told."""
        self._over = True
        self._news.set()

    async def serve(
        self, requests: AsyncIterator[worker_pb2.ExecuteManyRequest], context: Context
    ) -> AsyncGenerator[worker_pb2.ExecuteManyResponse]:
        """What is told, in messages.

        Raises:
            InvalidRequest: a request has no meaning; whatever was under way is cancelled.
        """
        reading = asyncio.create_task(self._read(requests))
        reading.add_done_callback(lambda _reading: self.close())
        # The stream's end is heard even while this generator waits for its reader.
        context.add_done_callback(lambda _context: self._give_up(reading))  # type: ignore[arg-type]
        try:
            while not self._over or self._tasks or self._events:
                await self._news.wait()
                self._news.clear()
                if reading.done() and not reading.cancelled() and (error := reading.exception()):
                    raise error
                while self._events:
                    yield self._message()
        finally:
            await call_off([reading, *self._tasks.values()])

    def _give_up(self, reading: asyncio.Task[None]) -> None:
        for task in (reading, *self._tasks.values()):
            task.cancel()

    def _message(self) -> worker_pb2.ExecuteManyResponse:
        events, room = list[worker_pb2.ExecutionEvent](), _MESSAGE_BYTES
        while self._events and (not events or self._events[0][1] <= room):
            event, size = self._events.popleft()
            events.append(event)
            room -= size
            self._bytes -= size
        self._room.set()
        return worker_pb2.ExecuteManyResponse(events=events)

    async def _read(self, requests: AsyncIterator[worker_pb2.ExecuteManyRequest]) -> None:
        async for request in requests:
            for index, execution in enumerate(request.executions):
                if execution.id in self._tasks:
                    raise InvalidRequest.one(f"executions[{index}].id", "is under way already")
                if self._over:
                    return
                self._begin(execution)
            for number in request.cancelled:
                if (task := self._tasks.get(number)) is not None:
                    task.cancel()

    def _begin(self, execution: worker_pb2.Execution) -> None:
        number, full = execution.id, len(self._tasks) >= MOST
        task = asyncio.create_task(self._draw(number, execution.request, full=full))
        self._tasks[number] = task
        # Not a `finally` of the task's own: one that is cancelled before its first turn has none.
        task.add_done_callback(lambda _task: self._ended(number))

    def _ended(self, number: int) -> None:
        del self._tasks[number]
        if self._over:
            self._news.set()

    async def _draw(self, number: int, request: worker_pb2.ExecuteRequest, *, full: bool) -> None:
        part = Part()
        try:
            if full:
                raise Unavailable(f"{MOST} images are under way already", retry_after=0.1)
            async with aclosing(self._execute(request, part)) as told:  # type: ignore[type-var]
                async for response in told:
                    event = worker_pb2.ExecutionEvent(id=number, response=response)
                    size = event.ByteSize()
                    if size > _MOST_OF_ONE:
                        # Sent, it would end the stream, and all others with it.
                        raise Exhausted(
                            f"what was drawn takes {size} bytes, too many for a message"
                        )
                    await self._tell(event, size)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this image's alone
            status = to_status(known(error, _METHOD)).SerializeToString()
            failure = worker_pb2.ExecutionEvent(id=number, failure=status)
            await self._tell(failure, failure.ByteSize())
        finally:
            part.end()

    async def _tell(self, event: worker_pb2.ExecutionEvent, size: int) -> None:
        self._events.append((event, size))
        self._bytes += size
        self._news.set()
        while self._bytes > _MOST_BYTES:
            self._room.clear()
            await self._room.wait()
