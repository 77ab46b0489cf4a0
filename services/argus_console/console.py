"""A whole console, put together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aiohttp import web

from argus_client import AsyncClient, Tls
from argus_console.foresee import Foresight
from argus_console.guard import Guard, loopback
from argus_console.scene import Scene
from argus_console.watch import RouterWatch
from argus_console.web import Front
from argus_core.errors import InvalidRequest, Unavailable
from argus_rpc import roster
from argus_rpc.limits import Limits
from argus_rpc.meanwhile import call_off
from argus_rpc.tls import TlsFiles, ssl_context

_LAST_WORDS = 1.0
"""Seconds for answers on their way out; pages come again by themselves."""


@dataclass(frozen=True, kw_only=True)
class Routers:
    """How the console reaches routers."""

    addresses: Sequence[str]
    """`HOST:PORT`, or `dns:///HOST:PORT` for all of a name."""
    api_key: str = ""
    """Of any tenant, to ask what the cluster is; empty where routers have no keys."""
    control_key: str = ""
    """Of the control service, to hear of load and plans; likewise."""
    tls: Tls | None = None


class Console:
    """A whole console: `start` it, `stop` it."""

    def __init__(
        self,
        routers: Routers,
        *,
        http: str = "127.0.0.1:0",
        keys: Path | None = None,
        tls: TlsFiles | None = None,
        limits: Limits | None = None,
    ) -> None:
        """Reads the files that it is given.

        Args:
            routers: where they are.
            http: `HOST:PORT` to listen on; port 0 takes a free one.
            keys: file of API keys; None lets everybody on this machine in.
            tls: of the page; None for plain HTTP.
            limits: of slow clients.

        Raises:
            InvalidRequest: a file cannot be read; or without keys, others could come in.
        """
        if keys is None and not loopback(http):
            problem = f"{http} is not a loopback address: others could come in without keys"
            raise InvalidRequest.one("http", problem)
        limits = limits or Limits()
        watch = partial(
            _watch, api_key=routers.api_key, control_key=routers.control_key, tls=routers.tls
        )
        self.scene = Scene(roster.found(routers.addresses), watch)
        endpoint = ",".join(routers.addresses)
        front = Front(
            self.scene,
            Guard(keys),
            Foresight(),
            client=lambda key: AsyncClient(endpoint, api_key=key, tls=routers.tls),
            limits=limits,
        )
        self._http, self._ssl = http, ssl_context(tls) if tls else None
        self._runner = web.AppRunner(
            front.app(),
            handler_cancellation=True,
            access_log=None,
            keepalive_timeout=limits.head,
            shutdown_timeout=_LAST_WORDS,
        )
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Listen, and look at the routers; returns the URL.

        Raises:
            Unavailable: the address cannot be had.
        """
        await self._runner.setup()
        host, _, port = self._http.rpartition(":")
        try:
            await web.TCPSite(self._runner, host, int(port), ssl_context=self._ssl).start()
        except OSError as error:
            raise Unavailable(f"cannot listen on {self._http}: {error}") from error
        self._watching = asyncio.create_task(self.scene.run(), name="scene")
        scheme = "https" if self._ssl else "http"
        return f"{scheme}://{host}:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Close; pages say that they lost it."""
        await self._runner.cleanup()
        if self._watching is not None:
            await call_off([self._watching])


def _watch(
    address: str, changed: Callable[[], None], *, api_key: str, control_key: str, tls: Tls | None
) -> RouterWatch:
    return RouterWatch(address, api_key=api_key, control_key=control_key, tls=tls, changed=changed)
