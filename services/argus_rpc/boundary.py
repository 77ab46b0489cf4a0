"""The one place where a service's errors meet the wire.

An interceptor wraps every handler: malformed requests are refused before the handler sees
them, an `ArgusError` becomes its status with details, and anything else is logged and becomes
INTERNAL without telling the client more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from argus_core.errors import ArgusError, InvalidRequest
from argus_rpc import tracing
from argus_rpc.decode import Malformed, strict
from argus_rpc.errors import to_status, trailing_metadata
from argus_rpc.patience import Patience

log = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[Any, Any]


class Boundary(grpc.aio.ServerInterceptor):
    """Strict decoding in, canonical errors out; only for services of `argus.v1`.

    gRPC waits for ever for the message of a call that has one. Where it shall not, a call is taken
    as one of a stream of messages, of which the first is waited for here, for so long; on the wire
    the two are the same.
    """

    def __init__(self, *, message_within: float | None = None) -> None:
        """`message_within`: seconds from a call's beginning; None for as long as it likes."""
        self._patience = None if message_within is None else Patience(message_within)
        self._wrapped: dict[str, tuple[Any, Any]] = {}
        """By method: its handler, which is the same for every call, and what it became."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        details: grpc.HandlerCallDetails,
    ) -> Any:
        """Wrap the handler that `continuation` finds."""
        handler = await continuation(details)
        method: str = details.method
        if handler is None or not method.startswith("/argus."):
            return handler
        known, wrapped = self._wrapped.get(method, (None, None))
        if known is not handler:
            wrapped = self._wrap(handler, method)
            self._wrapped[method] = handler, wrapped
        return wrapped

    def _wrap(self, handler: Any, method: str) -> Any:
        descriptor = _request_descriptor(method)
        wrapped = handler._replace(
            request_deserializer=strict(handler.request_deserializer, descriptor)
        )
        if handler.request_streaming:
            assert handler.response_streaming, "no service has a stream of requests alone"
            return wrapped._replace(stream_stream=_guard_streams(handler.stream_stream, method))
        patience = self._patience
        if handler.response_streaming:
            stream = _guard_stream(handler.unary_stream, method, patience)
            if patience is None:
                return wrapped._replace(unary_stream=stream)
            return wrapped._replace(request_streaming=True, unary_stream=None, stream_stream=stream)
        unary = _guard_unary(handler.unary_unary, method, patience)
        if patience is None:
            return wrapped._replace(unary_unary=unary)
        return wrapped._replace(request_streaming=True, unary_unary=None, stream_unary=unary)


def _guard_unary(
    behaviour: Callable[[Any, Context], Awaitable[Message]], method: str, patience: Patience | None
) -> Callable[[Any, Context], Awaitable[Message]]:
    async def guarded(came: object, context: Context) -> Message:
        try:
            request = came if patience is None else await _first(context, patience)
            if isinstance(request, Malformed):
                raise request.error
            tracing.came_with(context.invocation_metadata())
            return await behaviour(request, context)
        except Exception as error:  # noqa: BLE001 - the boundary is where they all end
            await _refuse(context, error, method)

    return guarded


def _guard_stream(
    behaviour: Callable[[Any, Context], AsyncIterator[Message]],
    method: str,
    patience: Patience | None,
) -> Callable[[Any, Context], AsyncIterator[Message]]:
    async def guarded(came: object, context: Context) -> AsyncIterator[Message]:
        try:
            request = came if patience is None else await _first(context, patience)
            if isinstance(request, Malformed):
                raise request.error
            tracing.came_with(context.invocation_metadata())
            async for message in behaviour(request, context):
                yield message
        except Exception as error:  # noqa: BLE001 - the boundary is where they all end
            await _refuse(context, error, method)

    return guarded


def _guard_streams(
    behaviour: Callable[[AsyncIterator[Any], Context], AsyncIterator[Message]], method: str
) -> Callable[[AsyncIterator[Any], Context], AsyncIterator[Message]]:
    """Of a call whose messages come as long as it likes: no bound is set to the first."""

    async def guarded(came: AsyncIterator[Any], context: Context) -> AsyncIterator[Message]:
        try:
            tracing.came_with(context.invocation_metadata())
            async for message in behaviour(_sound(came), context):
                yield message
        except Exception as error:  # noqa: BLE001 - the boundary is where they all end
            await _refuse(context, error, method)

    return guarded


async def _sound(came: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in came:
        if isinstance(request, Malformed):
            raise request.error
        yield request


async def _first(context: Context, patience: Patience) -> object:
    """The message of a call that is taken as a stream of them."""
    task = asyncio.current_task()
    assert task is not None, "only tasks have calls"
    cancelled = task.cancelling()
    with patience.wait(task.cancel) as wait:
        try:
            request: object = await context.read()
        except asyncio.CancelledError as error:
            if not wait.over or task.uncancel() > cancelled:
                raise
            late = f"must come within {patience.seconds:g} s of the call's beginning"
            raise InvalidRequest.one("message", late) from error
    if request is grpc.aio.EOF:
        raise InvalidRequest.one("message", "is missing")
    return request


async def _refuse(context: Context, error: Exception, method: str) -> NoReturn:
    if isinstance(error, grpc.aio.AbortError):
        raise error
    told = known(error, method)
    status = to_status(told)
    await context.abort(
        getattr(grpc.StatusCode, told.code), status.message, trailing_metadata(status)
    )
    raise AssertionError("abort does not return")


def known(error: Exception, method: str) -> ArgusError:
    """What a caller is told of an error; one that is none of ours is logged and named internal."""
    if isinstance(error, ArgusError):
        return error
    log.error("%s failed", method, exc_info=error)
    return ArgusError("internal error; the server's log tells more")


def _request_descriptor(method: str) -> Descriptor:
    _, service, name = method.split("/")
    found = descriptor_pool.Default().FindServiceByName(service)
    descriptor: Descriptor = found.FindMethodByName(name).input_type
    return descriptor
