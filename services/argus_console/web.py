"""The routes: the page, what it is told, and what it may ask for."""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

from aiohttp import web

from argus_client import AsyncClient, Event
from argus_console import drawing, views
from argus_console.foresee import Foresight
from argus_console.guard import HEADERS, Guard, may_draw
from argus_console.scene import Scene
from argus_console.sessions import Session
from argus_console.whatif import question
from argus_core.errors import (
    ArgusError,
    Exhausted,
    Forbidden,
    InvalidRequest,
    NotFound,
    Unavailable,
)
from argus_protos.v1.control_pb2 import PlanRecord
from argus_rpc.errors import HTTP_STATUS
from argus_rpc.limits import Limits, received
from argus_rpc.sse import EventStream

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
PAGE = Path(__file__).with_name("page")
_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".mjs": "text/javascript",
    ".svg": "image/svg+xml",
    ".LICENSE": "text/plain",
}
_STREAMS, _DRAWINGS = 32, 8
"""That go on at the same time, of all pages together."""
_BEAT = 5.0
"""Seconds after which a page hears something in any case, or is found to be gone."""
_PACE = 0.25
"""Seconds between two states that a page is told at least."""


class Front:
    """The routes, over the scene."""

    def __init__(
        self,
        scene: Scene,
        guard: Guard,
        foresight: Foresight,
        *,
        client: Callable[[str], AsyncClient],
        limits: Limits | None = None,
    ) -> None:
        """`client` makes one that draws for the holder of an API key."""
        self._scene, self._guard, self._foresight, self._client = scene, guard, foresight, client
        self._limits = limits or Limits()
        self._streams, self._drawings = Places(_STREAMS), Places(_DRAWINGS)
        self._files = {f"/{p.relative_to(PAGE)}": p for p in PAGE.rglob("*") if p.suffix in _TYPES}

    def app(self) -> web.Application:
        """The application to serve."""
        app = web.Application(client_max_size=drawing.MOST, middlewares=[self._guarded])
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/api/session", self._session),
                web.post("/api/session", self._sign_in),
                web.delete("/api/session", self._sign_out),
                web.get("/api/live", self._live),
                web.get("/api/plans/{id:[0-9]{1,18}}", self._plan),
                web.post("/api/draw", self._draw),
                web.post("/api/whatif", self._what_if),
                web.get("/{file:.+}", self._page),
            ]
        )
        return app

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """What holds of every answer."""
        try:
            if request.path not in {"/healthz", "/readyz"}:  # Of probes, who come by address.
                self._guard.host(request)
            if request.method not in {"GET", "HEAD"}:
                self._guard.change(request)
            response = await handler(request)
        except ArgusError as error:
            response = _refusal(error)
        except web.HTTPException as error:
            response = web.json_response({"error": error.reason}, status=error.status)
        except ConnectionResetError:
            return web.Response(status=499)  # The client is gone: there is nobody to tell.
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            told = {"error": "internal error; the server's log tells more"}
            response = web.json_response(told, status=500)
        if not response.prepared:
            response.headers.update(HEADERS)
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    async def _page(self, request: web.Request) -> web.StreamResponse:
        path = self._files.get("/index.html" if request.path == "/" else request.path)
        if path is None:
            raise NotFound("there is no such page")
        headers = {"Content-Type": f"{_TYPES[path.suffix]}; charset=utf-8"}
        # Asked for again each time, so that an upgrade never mixes two versions.
        return web.Response(
            body=path.read_bytes(), headers={**headers, "Cache-Control": "no-cache"}
        )

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.json_response({"healthy": True})

    async def _readyz(self, _request: web.Request) -> web.Response:
        # Also without routers: the page then says so.
        return web.json_response({"ready": True, "router": self._scene.there})

    async def _session(self, request: web.Request) -> web.Response:
        session = self._guard.find(request)
        tenant = session.tenant if session else None
        return web.json_response(self._told(tenant, draws=session is None or may_draw(session)))

    async def _sign_in(self, request: web.Request) -> web.Response:
        given = drawing.fields(await self._body(request), {"key": (str,)})
        response = web.Response()
        tenant = self._guard.sign_in(given.get("key", ""), request, response)
        draws = may_draw(Session(tenant=tenant, key="", until=0))
        response.text = json.dumps(self._told(tenant, draws=draws))
        response.content_type = "application/json"
        return response

    async def _sign_out(self, request: web.Request) -> web.Response:
        response = web.json_response(self._told(None, draws=False))
        self._guard.sign_out(request, response)
        return response

    def _told(self, tenant: str | None, *, draws: bool) -> dict[str, Any]:
        return {"keyed": self._guard.keyed, "tenant": tenant, "draws": draws}

    async def _live(self, request: web.Request) -> web.StreamResponse:
        """The state now and whenever it changes; a page that comes again begins anew."""
        self._guard.require(request)
        with self._streams.one("pages look on"):
            stream = self._stream(request)
            version = sample = 0
            plans: list[PlanRecord] | None = None
            while True:
                version = await self._scene.newer(version, _BEAT)
                self._guard.require(request)
                told: dict[str, Any] = {"state": self._scene.state()}
                told["samples"] = self._scene.series.since(sample)
                if (known := self._scene.plans()) != plans:
                    plans, told["plans"] = known, [views.record(one) for one in known]
                sample = self._scene.series.last
                await stream.send("state", told)
                await asyncio.sleep(_PACE)

    async def _plan(self, request: web.Request) -> web.Response:
        self._guard.require(request)
        number = int(request.match_info["id"])
        for record in self._scene.plans():
            if record.plan.id == number:
                return web.json_response(views.record(record))
        raise NotFound(f"plan {number} is not remembered")

    async def _draw(self, request: web.Request) -> web.StreamResponse:
        session = self._guard.require(request)
        if not may_draw(session):
            raise Forbidden("this API key is for looking on: sign in with a tenant's to draw")
        order = drawing.order(await self._body(request))
        stream = self._stream(request)
        with self._drawings.one("pictures are drawn for pages"):
            try:
                async with (
                    self._client(session.key) as client,
                    aclosing(client.generate(order)) as events,
                ):
                    await _forward(events, stream)
            except ArgusError as error:
                if stream.response is None:
                    raise
                await stream.send("error", _error(error))
        assert stream.response is not None, "a request has events"
        return stream.response

    async def _what_if(self, request: web.Request) -> web.Response:
        self._guard.require(request)
        kinds: dict[str, tuple[type, ...]] = {"gpus": (int,), "load": (int, float)}
        given = drawing.fields(await self._body(request), kinds)
        if (cluster := self._scene.cluster) is None:
            raise Unavailable("no router has told of its cluster yet")
        asked = question(
            cluster,
            prompts=self._scene.prompts(),
            lately=self._scene.lately(),
            arrivals=self._scene.arrivals(),
            times=self._scene.times(),
            gpus=given.get("gpus", 0),
            load=float(given.get("load", 1.0)),
        )
        return web.json_response(await self._foresight.ask(asked))

    def _stream(self, request: web.Request) -> EventStream:
        return EventStream(request, seconds=self._limits.take, headers=HEADERS)

    async def _body(self, request: web.Request) -> bytes:
        if request.content_type != "application/json":
            raise InvalidRequest.one("body", "must be application/json")
        return await received(request, most=drawing.MOST, seconds=self._limits.body)


class Places:
    """So many at the same time, and no more."""

    def __init__(self, most: int) -> None:
        self._most, self._taken = most, 0

    def one(self, what: str) -> Places:
        """A place, to be had `with`.

        Raises:
            Exhausted: all are taken.
        """
        if self._taken >= self._most:
            raise Exhausted(f"{self._most} {what} already", retry_after=5.0)
        return self

    def __enter__(self) -> None:
        self._taken += 1

    def __exit__(self, *_: object) -> None:
        self._taken -= 1


async def _forward(events: AsyncGenerator[Event], stream: EventStream) -> None:
    async for event in events:
        kind, told = drawing.told(event)
        await stream.send(kind, told)


def _error(error: ArgusError) -> dict[str, Any]:
    told: dict[str, Any] = {"error": str(error), "code": error.code}
    if isinstance(error, InvalidRequest):
        told["fields"] = {v.field: v.problem for v in error.violations}
    if error.retry_after is not None:
        told["retry_after"] = error.retry_after
    return told


def _refusal(error: ArgusError) -> web.Response:
    response = web.json_response(_error(error), status=HTTP_STATUS.get(error.code, 500))
    if response.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    return response
