"""What a client may take of time and room, and how answers go out to those who take them slowly.

Whatever is written to a client that reads nothing would wait in memory. So an answer goes out in
pieces, and a client that does not take a piece in time is cut off; one that is slow but takes
them is served to the end.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from aiohttp import web

from argus_core.errors import InvalidRequest

log = logging.getLogger(__name__)

PIECE = 64 * 1024
"""Bytes of an answer that are handed on at once."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Seconds that a client has."""

    head: float = 75.0
    """For a request's head, from connecting or from the last answer; then it is disconnected."""
    body: float = 10.0
    """For a request's body, from the end of its head; over gRPC for its message."""
    take: float = 30.0
    """For taking a piece of an answer, or an event of a stream."""


async def received(request: web.Request, *, most: int, seconds: float) -> bytes:
    """A request's body, of at most so many bytes, as the application's `client_max_size` says too.

    Raises:
        InvalidRequest: it is larger, or was not sent within so many seconds.
    """
    try:
        async with asyncio.timeout(seconds):
            return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise InvalidRequest.one("body", f"must be at most {most} bytes") from error
    except TimeoutError as error:
        raise InvalidRequest.one("body", f"must be sent within {seconds:g} s") from error


async def pour(
    request: web.Request, response: web.StreamResponse, data: bytes, seconds: float
) -> None:
    """Write to a client, piece by piece, each within so many seconds.

    Raises:
        ConnectionResetError: the client is gone, or was cut off.
    """
    view = memoryview(data)
    for start in range(0, len(view), PIECE):
        try:
            async with asyncio.timeout(seconds):
                await response.write(view[start : start + PIECE])
        except TimeoutError as error:
            log.warning("a client took nothing for %g s; it is cut off", seconds)
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError("the client takes nothing") from error


async def whole(
    request: web.Request, data: bytes, headers: dict[str, str], seconds: float
) -> web.StreamResponse:
    """Answer with these bytes, piece by piece; see `pour`."""
    response = web.StreamResponse(headers=headers)
    response.content_length = len(data)
    await response.prepare(request)
    await pour(request, response, data, seconds)
    return response
