"""Images at one worker over one long call: `ExecuteMany`.

A message in a call that is open costs a third of what a call costs, at either end, and those that
come while one is being sent go together in the next.

Model: lives on the router's event loop. The call is opened for the first image and again for the
next one after it broke; a task reads it and a task writes it. An image's events end with its result
or with an `Ended`; where the call breaks, all that are under way end with what it broke with.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any, Self

import grpc
from google.protobuf.message import DecodeError
from google.rpc import code_pb2, status_pb2

from argus_core.errors import ArgusError, DeadlineMissed, Unavailable
from argus_protos.v1 import worker_pb2
from argus_rpc.errors import from_rpc, from_status
from argus_rpc.meanwhile import call_off

if TYPE_CHECKING:
    from argus_protos.v1.worker_pb2_grpc import WorkerServiceAsyncStub

_MOST = 64
"""Images that one message begins."""


class Ended(Exception):
    """An image at a worker ended, but not well."""

    def __init__(self, code: str, meaning: ArgusError) -> None:
        """`code` is canonical; `meaning` the leaf that the other side raised."""
        super().__init__(str(meaning))
        self.code, self.meaning = code, meaning


class Unsupported(Exception):
    """The worker is of a version that takes one image a call; nothing was begun."""


class Execution:
    """One image under way: what the worker tells of it, until its result."""

    def __init__(self, cancel: Callable[[], object]) -> None:
        self._cancel = cancel
        self._responses: deque[worker_pb2.ExecuteResponse] = deque()
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> worker_pb2.ExecuteResponse:
        """The next event.

        Raises:
            Ended: it failed, or was lost.
            Unsupported: it must be asked for by a call of its own.
        """
        while not self._responses:
            if self._error is not None:
                raise self._error
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._responses.popleft()

    async def aclose(self) -> None:
        """Nobody hears what is still to come; ends the work at the worker's next step."""
        self._cancel()

    def hear(self, response: worker_pb2.ExecuteResponse) -> None:
        """The worker told something."""
        self._responses.append(response)
        self._wake()

    def end(self, error: Exception) -> None:
        """Nothing more will be heard."""
        self._error = error
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Stream:
    """See the module; `close` it."""

    def __init__(self, stub: WorkerServiceAsyncStub) -> None:
        self._stub = stub
        self._numbers = 0
        self._open: dict[int, tuple[Execution, asyncio.TimerHandle]] = {}
        """Under way, and the timer of each one's end."""
        self._begun: deque[worker_pb2.Execution] = deque()
        self._cancelled: list[int] = []
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def execute(self, request: worker_pb2.ExecuteRequest, *, timeout: float) -> Execution:
        """Have an image drawn within so many seconds."""
        self._numbers += 1
        number = self._numbers
        execution = Execution(lambda: self._cancel(number))
        late = asyncio.get_running_loop().call_later(timeout, self._late, number)
        self._open[number] = execution, late
        self._begun.append(worker_pb2.Execution(id=number, request=request))
        self._news.set()
        if self._task is None:
            # On behalf of none of them in particular.
            self._task = asyncio.get_running_loop().create_task(
                self._run(), name="stream", context=Context()
            )
        return execution

    async def close(self) -> None:
        """End the call; what is under way is lost."""
        if self._task is not None:
            await call_off([self._task])

    def _cancel(self, number: int) -> Execution | None:
        """Give up one that is under way; the worker hears of it where it has heard of the image."""
        if (execution := self._forget(number)) is not None:
            unsent = [begun for begun in self._begun if begun.id == number]
            if unsent:
                self._begun.remove(unsent[0])
            else:
                self._cancelled.append(number)
                self._news.set()
        return execution

    def _late(self, number: int) -> None:
        if (execution := self._cancel(number)) is not None:
            execution.end(Ended("DEADLINE_EXCEEDED", DeadlineMissed("the deadline passed")))

    def _forget(self, number: int) -> Execution | None:
        execution, late = self._open.pop(number, (None, None))
        if late is not None:
            late.cancel()
        return execution

    async def _run(self) -> None:
        call: Any = self._stub.ExecuteMany()
        writing = asyncio.create_task(self._write(call))
        error: Exception = Ended("CANCELLED", Unavailable("the stream was closed"))
        try:
            while (told := await call.read()) is not grpc.aio.EOF:
                for event in told.events:
                    self._hear(event)
            error = Ended("UNAVAILABLE", Unavailable("the worker ended the stream"))
        except grpc.aio.AioRpcError as broken:
            if broken.code() is grpc.StatusCode.UNIMPLEMENTED:
                error = Unsupported()
            else:
                error = Ended(broken.code().name, from_rpc(broken))
        finally:
            # Whoever comes from here on has a call anew.
            self._task = None
            call.cancel()
            writing.cancel()
            self._begun.clear()
            self._cancelled.clear()
            for number in tuple(self._open):
                if (execution := self._forget(number)) is not None:
                    execution.end(error)

    async def _write(self, call: Any) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            while self._begun or self._cancelled:
                begun = [self._begun.popleft() for _ in range(min(_MOST, len(self._begun)))]
                cancelled, self._cancelled = self._cancelled, []
                message = worker_pb2.ExecuteManyRequest(executions=begun, cancelled=cancelled)
                try:
                    await call.write(message)
                except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
                    return  # Who reads hears why.

    def _hear(self, event: worker_pb2.ExecutionEvent) -> None:
        if (known := self._open.get(event.id)) is None:
            return  # It was cancelled meanwhile.
        execution, _ = known
        if event.WhichOneof("event") == "failure":
            self._forget(event.id)
            execution.end(_failure(event.failure))
            return
        if event.response.HasField("result"):
            self._forget(event.id)
        execution.hear(event.response)


def _failure(data: bytes) -> Ended:
    try:
        status = status_pb2.Status.FromString(data)
    except DecodeError:
        return Ended("INTERNAL", ArgusError("the worker told a failure that is none"))
    code = code_pb2.Code.Name(status.code) if status.code in code_pb2.Code.values() else "UNKNOWN"
    return Ended(code, from_status(code, status.message, status))
