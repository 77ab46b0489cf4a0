"""Asks the predictor, and for all who come during a call together in the next.

Model: who comes while no call is under way asks at once. Who comes while one is waits for its end,
or for a moment where that is shorter, and is then asked for together with all others who wait. That
costs router and predictor less than a call each: the more comes, the less a prompt costs. Each has
its own patience, wherever it is.
Where calls are traced, or the predictor takes one prompt a call only, each has a call of its own.
Lives on the router's event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc

from argus_protos.v1 import predictor_pb2
from argus_rpc import tracing
from argus_rpc.handshake import meaning_of
from argus_rpc.meanwhile import call_off

if TYPE_CHECKING:
    from argus_protos.v1.predictor_pb2_grpc import PredictorServiceAsyncStub

MOST = 64
"""Prompts of a call."""
_MOMENT = 0.005
"""Seconds that the first of them waits for a call under way: a tenth of the longest patience."""


class Refused(Exception):
    """The prompt is not answered."""

    def __init__(self, code: str, why: str = "") -> None:
        """`code` is canonical; `why` what keeps the two from speaking at all, where that is it."""
        super().__init__(code)
        self.code, self.why = code, why


@dataclass(frozen=True, kw_only=True, eq=False)
class _Waiting:
    request: predictor_pb2.PredictRequest
    until: float
    """On the loop's clock."""
    answer: asyncio.Future[predictor_pb2.PredictResponse]


class Asking:
    """See the module; `close` it."""

    def __init__(self, stub: PredictorServiceAsyncStub) -> None:
        self._stub = stub
        self._under_way = 0
        """Calls."""
        self._takes_many = True
        self._waiting: deque[_Waiting] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Give up what is under way."""
        self._rest()
        await call_off(self._tasks)

    async def ask(
        self, request: predictor_pb2.PredictRequest, *, timeout: float
    ) -> predictor_pb2.PredictResponse:
        """The answer for one prompt, within so many seconds.

        Raises:
            Refused: it is not answered.
        """
        if not self._takes_many or tracing.is_on():
            return await self._alone(request, timeout)
        if self._under_way:
            return await self._behind(request, timeout)
        self._under_way += 1
        try:
            return await self._alone(request, timeout)
        finally:
            self._under_way -= 1
            self._send()

    async def _alone(
        self, request: predictor_pb2.PredictRequest, timeout: float
    ) -> predictor_pb2.PredictResponse:
        try:
            return await self._stub.Predict(request, timeout=timeout, metadata=tracing.onward())
        except grpc.aio.AioRpcError as error:
            why = meaning_of(error.details() or "")
            raise Refused(error.code().name, why) from error

    async def _behind(
        self, request: predictor_pb2.PredictRequest, timeout: float
    ) -> predictor_pb2.PredictResponse:
        loop = asyncio.get_running_loop()
        one = _Waiting(request=request, until=loop.time() + timeout, answer=loop.create_future())
        self._waiting.append(one)
        if self._timer is None:
            self._timer = loop.call_later(_MOMENT, self._send)
        late = loop.call_at(one.until, _refuse, one, "DEADLINE_EXCEEDED")
        try:
            return await one.answer
        finally:
            late.cancel()

    def _send(self) -> None:
        """Ask for those who wait."""
        self._rest()
        those: list[_Waiting] = []
        while self._waiting and len(those) < MOST:
            if not (one := self._waiting.popleft()).answer.done():
                those.append(one)
        if not those:
            return
        loop = asyncio.get_running_loop()
        # On behalf of none of them in particular.
        task = loop.create_task(self._together(those), name="predictor", context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._waiting:
            self._timer = loop.call_later(_MOMENT, self._send)

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _together(self, those: Sequence[_Waiting]) -> None:
        self._under_way += 1
        try:
            await self._ask_for(those)
        finally:
            self._under_way -= 1
            for one in those:
                _refuse(one, "CANCELLED")
            self._send()

    async def _ask_for(self, those: Sequence[_Waiting]) -> None:
        request = predictor_pb2.PredictManyRequest(requests=[one.request for one in those])
        timeout = max(one.until for one in those) - asyncio.get_running_loop().time()
        try:
            told = await self._stub.PredictMany(request, timeout=max(timeout, 0.001))
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                self._takes_many = False
                await asyncio.gather(*map(self._each, those))
                return
            for one in those:
                _refuse(one, error.code().name)
            return
        if len(told.answers) != len(those):
            for one in those:
                _refuse(one, "INTERNAL")
            return
        for one, answer in zip(those, told.answers, strict=True):
            if answer.HasField("response") and not one.answer.done():
                one.answer.set_result(answer.response)
            else:
                _refuse(one, answer.refused)

    async def _each(self, one: _Waiting) -> None:
        left = one.until - asyncio.get_running_loop().time()
        try:
            answer = await self._alone(one.request, max(left, 0.001))
        except Refused as error:
            _refuse(one, error.code)
        else:
            if not one.answer.done():
                one.answer.set_result(answer)


def _refuse(one: _Waiting, code: str) -> None:
    if not one.answer.done():
        one.answer.set_exception(Refused(code))
