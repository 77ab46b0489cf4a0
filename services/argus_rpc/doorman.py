"""An HTTP listener that keeps so many connections and no more.

Who comes beyond them is told 503 and when to come again, and is closed. A connection counts once it
is open, over TLS after the handshake, which has ten seconds.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import cast

from aiohttp import web

_HANDSHAKE = 10.0
_RETRY = 1
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n"
    b"Retry-After: %d\r\n\r\n" % _RETRY
)


class Doorman:
    """Listens for a runner: `listen` once, `close` once."""

    def __init__(self, runner: web.AppRunner, *, most: int) -> None:
        """`most`: connections at once."""
        self._runner, self._most = runner, most
        self._listener: asyncio.Server | None = None

    async def listen(self, host: str, port: int, context: ssl.SSLContext | None) -> int:
        """Listen; returns the port.

        Raises:
            OSError: the address cannot be had.
        """
        await self._runner.setup()
        self._listener = await asyncio.get_running_loop().create_server(
            self._let_in,
            host,
            port,
            ssl=context,
            ssl_handshake_timeout=_HANDSHAKE if context else None,
            backlog=128,
            reuse_address=True,
        )
        return int(self._listener.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Listen no more, and end what is open."""
        if self._listener is not None:
            self._listener.close()
        await self._runner.cleanup()

    def _let_in(self) -> asyncio.BaseProtocol:
        server = self._runner.server
        assert server is not None, "listening"
        if len(server.connections) < self._most:
            return server()
        return _Full()


class _Full(asyncio.Protocol):
    """Tells whoever connects that there is no room."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        out = cast("asyncio.WriteTransport", transport)
        out.write(_FULL)
        out.close()
