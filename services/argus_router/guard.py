"""Who may call the control service, where there are API keys."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn

import grpc

from argus_core.errors import ArgusError
from argus_router.gate import AUTHORIZATION, Gate, values

_GUARDED = "/argus.v1.ControlService/"


class ControlGuard(grpc.aio.ServerInterceptor):
    """Refuses calls of the control service that the gate does not let pass."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        details: grpc.HandlerCallDetails,
    ) -> Any:
        """Replace the handler that `continuation` finds by a refusal, where there is cause."""
        handler = await continuation(details)
        if handler is None or not details.method.startswith(_GUARDED):
            return handler
        try:
            self._gate.control(values(details.invocation_metadata, AUTHORIZATION))
        except ArgusError as error:
            return _refused(handler, error)
        return handler


def _refused(handler: Any, error: ArgusError) -> Any:
    async def unary(_request: object, _context: object) -> NoReturn:
        raise error

    async def stream(_request: object, _context: object) -> AsyncIterator[object]:
        if error:
            raise error
        yield None  # Never reached, but it makes this a generator.

    if handler.response_streaming:
        return handler._replace(unary_stream=stream)
    return handler._replace(unary_unary=unary)
