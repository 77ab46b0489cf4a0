"""Whether the operator lives, for Kubernetes to ask, and its metrics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST


class Heartbeats:
    """Who has promised to be heard of, how often, and was when."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: dict[str, tuple[float, float]] = {}

    def beat(self, who: str, *, within: float) -> None:
        """`who` lives, and will beat again `within` seconds."""
        self._last[who] = (self._clock(), within)

    def forget(self, who: str) -> None:
        """`who` has ended as it should."""
        self._last.pop(who, None)

    def late(self) -> dict[str, float]:
        """Those that have not kept their promise, and for how many seconds they are not heard."""
        now = self._clock()
        return {who: now - at for who, (at, within) in self._last.items() if now - at > within}


class HealthServer:
    """`/healthz` on one port, `/metrics` on another.

    The metrics of a thousand clusters take a fifth of a second to write out: that is done in a
    thread, one page at a time, and whoever asks meanwhile is given the same page.
    """

    def __init__(self, heartbeats: Heartbeats, registry: CollectorRegistry) -> None:
        self._heartbeats, self._registry = heartbeats, registry
        self._runners: list[web.AppRunner] = []
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="metrics")
        self._page: asyncio.Future[bytes] | None = None
        """That which is being written."""
        self.ready: Callable[[], str] = lambda: ""
        """Says why it is not ready; empty where it is."""

    async def start(self, ports: Mapping[str, int]) -> None:
        """Listen; `ports` are those of `health` and `metrics`."""
        health = web.Application()
        health.add_routes([web.get("/healthz", self._healthz), web.get("/readyz", self._readyz)])
        metrics = web.Application()
        metrics.add_routes([web.get("/metrics", self._metrics)])
        for app, port in ((health, ports["health"]), (metrics, ports["metrics"])):
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "0.0.0.0", port).start()  # noqa: S104 - the pod's own
            self._runners.append(runner)

    async def stop(self) -> None:
        """Listen no more."""
        for runner in self._runners:
            await runner.cleanup()
        self._writer.shutdown(wait=False, cancel_futures=True)

    async def _healthz(self, request: web.Request) -> web.Response:
        del request
        late = self._heartbeats.late()
        return web.json_response({"late": late}, status=500 if late else 200)

    async def _readyz(self, request: web.Request) -> web.Response:
        del request
        reason = self.ready()
        return web.json_response({"reason": reason}, status=503 if reason else 200)

    async def _metrics(self, request: web.Request) -> web.Response:
        del request
        if self._page is None or self._page.done():
            loop = asyncio.get_running_loop()
            self._page = loop.run_in_executor(self._writer, generate_latest, self._registry)
        # Whoever goes away meanwhile takes the page from nobody else.
        body = await asyncio.shield(self._page)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})
