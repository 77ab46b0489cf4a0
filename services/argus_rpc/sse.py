"""Server-sent events to one HTTP client, as OpenAI's clients read them.

The answer's head goes out with the first event, so that whatever fails before it is still told
by HTTP's status. What fails later is told by an event named `error`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from argus_rpc.limits import pour


class EventStream:
    """The stream of one answer."""

    def __init__(
        self, request: web.Request, *, seconds: float, headers: Mapping[str, str] | None = None
    ) -> None:
        """`seconds` are those in which the client must take what is sent; `headers` are more."""
        self._request, self._seconds, self._headers = request, seconds, headers or {}
        self.response: web.StreamResponse | None = None
        """None until something was sent."""

    async def send(self, kind: str, told: dict[str, Any], *, request_id: str = "") -> None:
        """Send an event.

        Raises:
            ConnectionResetError: the client is gone, or was cut off for taking nothing.
        """
        if self.response is None:
            self.response = web.StreamResponse(headers={**self._headers, **_head(request_id)})
            await self.response.prepare(self._request)
        frame = f"event: {kind}\ndata: {json.dumps(told, separators=(',', ':'))}\n\n"
        await pour(self._request, self.response, frame.encode(), self._seconds)


def _head(request_id: str) -> dict[str, str]:
    return {
        "Content-Type": "text/event-stream; charset=utf-8",
        "Cache-Control": "no-cache",
        # nginx holds answers back otherwise.
        "X-Accel-Buffering": "no",
        "x-request-id": request_id,
    }
