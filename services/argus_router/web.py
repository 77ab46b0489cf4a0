"""The HTTP front: OpenAI's images API, probes, metrics, and the document that describes it all.

A client that goes away cancels its handler, and with it the drawing.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from argus_core.errors import ArgusError, InvalidRequest, NotFound
from argus_protos.v1 import cluster_pb2, images_pb2
from argus_router import models, openapi, shapes
from argus_router.body import MAX_BYTES, Body, read_body
from argus_router.gate import AUTHORIZATION, Gate
from argus_router.load import Outcome
from argus_router.request import TENANT
from argus_router.service import Service
from argus_router.store import ImageStore
from argus_rpc import tracing
from argus_rpc.limits import Limits, received, whole
from argus_rpc.sse import EventStream

log = logging.getLogger(__name__)


def _not_of_clients(record: logging.LogRecord) -> bool:
    """What clients send that is no HTTP is told to them; a log that tells of it tells nothing."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


protocol_log = logging.getLogger(f"{__name__}.protocol")
"""Of aiohttp itself: what is wrong below the routes."""
protocol_log.addFilter(_not_of_clients)

_DRAW = "/v1/images/generations"
_FROM_PICTURES = ("/v1/images/edits", "/v1/images/variations")
"""OpenAI's, and not ours."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Event = images_pb2.GenerateResponse


class Front:
    """The routes, over the router's service."""

    def __init__(
        self, service: Service, store: ImageStore, *, gate: Gate, limits: Limits | None = None
    ) -> None:
        self._service, self._store, self._gate = service, store, gate
        self._limits = limits or Limits()
        self._started = int(time.time())
        self._document = _document(service, gate)

    def app(self) -> web.Application:
        """The application to serve."""
        app = web.Application(client_max_size=MAX_BYTES, middlewares=[_spanned, _in_openai_shape])
        app.add_routes(
            [
                web.post(_DRAW, self._generate),
                web.get("/v1/images/{id:[\\w-]{32}}", self._image),
                web.get("/v1/models", self._models),
                web.get("/v1/models/{id}", self._model),
                web.get("/openapi.json", self._openapi),
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics),
            ]
        )
        return app

    def probes(self) -> web.Application:
        """What whoever runs the router asks, and nothing else."""
        app = web.Application()
        app.add_routes([web.get("/healthz", self._healthz), web.get("/readyz", self._readyz)])
        return app

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        tenant = self._tenant(request)
        try:
            data = await received(request, most=MAX_BYTES, seconds=self._limits.body)
            body = read_body(data, tenant)
        except InvalidRequest:
            self._service.metrics.turned_away(1, "none", Outcome.INVALID)
            raise
        async with aclosing(self._events(body)) as events:
            if body.streamed:
                return await self._streamed(request, body, events)
            return await self._whole(request, body, events)

    async def _events(self, body: Body) -> AsyncGenerator[Event]:
        try:
            async with aclosing(self._service.draw(body.request)) as events:
                async for event in events:
                    yield event
        except InvalidRequest as error:
            raise body.named(error) from error

    async def _whole(
        self, request: web.Request, body: Body, events: AsyncGenerator[Event]
    ) -> web.StreamResponse:
        request_id, results = "", list[Event]()
        async for event in events:
            if event.HasField("accepted"):
                request_id = event.accepted.request_id
            elif event.HasField("result"):
                results.append(event)

        def keep(image: cluster_pb2.Image) -> str:
            name = self._store.put(image.data, shapes.MIME[image.format])
            return f"{request.scheme}://{request.host}/v1/images/{name}"

        told = shapes.answer(
            sorted(results, key=lambda event: event.index),
            request_id=request_id,
            quality=body.quality,
            created=int(time.time()),
            keep=keep if body.by_url else None,
        )
        headers = {"Content-Type": "application/json", "x-request-id": request_id}
        return await whole(request, json.dumps(told).encode(), headers, self._limits.take)

    async def _streamed(
        self, request: web.Request, body: Body, events: AsyncGenerator[Event]
    ) -> web.StreamResponse:
        stream = EventStream(request, seconds=self._limits.take)
        try:
            async for kind, told, request_id in shapes.stream(events, body):
                await stream.send(kind, told, request_id=request_id)
        except ArgusError as error:
            if stream.response is None:
                raise
            await stream.send("error", shapes.refusal(error)[1])
        assert stream.response is not None, "a request has images"
        return stream.response

    async def _image(self, request: web.Request) -> web.StreamResponse:
        image = self._store.get(request.match_info["id"])
        if image is None:
            raise NotFound("there is no such image, or its time is over")
        if request.method == "HEAD":
            return web.Response(content_type=image.mime)
        headers = {"Content-Type": image.mime}
        return await whole(request, image.data, headers, self._limits.take)

    async def _models(self, request: web.Request) -> web.Response:
        self._tenant(request)
        spec = self._service.cluster.spec
        entries = [models.entry(n, spec, created=self._started) for n in models.names(spec)]
        return web.json_response({"object": "list", "data": entries})

    async def _model(self, request: web.Request) -> web.Response:
        self._tenant(request)
        spec, name = self._service.cluster.spec, request.match_info["id"]
        if name not in (names := models.names(spec)):
            raise NotFound(f"there is no such model; there are {', '.join(names)}")
        return web.json_response(models.entry(name, spec, created=self._started))

    async def _openapi(self, request: web.Request) -> web.Response:
        del request
        return web.Response(body=self._document, content_type="application/json")

    async def _healthz(self, request: web.Request) -> web.Response:
        del request
        return web.json_response({"healthy": True})

    async def _readyz(self, request: web.Request) -> web.Response:
        del request
        ready = self._service.ready
        return web.json_response({"ready": ready}, status=200 if ready else 503)

    async def _metrics(self, request: web.Request) -> web.Response:
        body, kind = self._service.exposition(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": kind})

    def _tenant(self, request: web.Request) -> str:
        headers = request.headers
        return self._gate.tenant(headers.getall(AUTHORIZATION, []), headers.getall(TENANT, []))


def _document(service: Service, gate: Gate) -> bytes:
    return json.dumps(openapi.document(service.cluster.spec, keyed=gate.keyed)).encode()


@web.middleware
async def _spanned(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A request to draw carries its caller's trace on, and is a span where any are made."""
    if request.path != _DRAW:
        return await handler(request)
    tracing.came_with((name.lower(), value) for name, value in request.headers.items())
    attributes = {"http.request.method": request.method, "http.route": _DRAW}
    name = f"{request.method} {_DRAW}"
    with tracing.span(name, request.headers, serving=True, **attributes):
        response = await handler(request)
        tracing.note(**{"http.response.status_code": response.status})
        return response


@web.middleware
async def _in_openai_shape(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error as OpenAI's clients expect it."""
    try:
        return await handler(request)
    except ArgusError as error:
        return _refusal(error)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _plain(request, error)
    except ConnectionResetError:
        return web.Response(status=499)  # The client is gone: there is nobody to tell.
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        message = "internal error; the server's log tells more"
        told = shapes.error("server_error", message, code="internal", param=None)
        return web.json_response(told, status=500)


def _refusal(error: ArgusError) -> web.Response:
    status, told = shapes.refusal(error)
    response = web.json_response(told, status=status)
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after is not None:
        # Retry-After knows whole seconds only; OpenAI's clients read the finer one first.
        response.headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
        response.headers["retry-after-ms"] = str(math.ceil(error.retry_after * 1000))
    return response


def _plain(request: web.Request, error: web.HTTPException) -> web.Response:
    """No such route, or not by this method."""
    allowed, said = error.headers.get("Allow"), error.reason
    if request.path in _FROM_PICTURES:
        said = f"Argus draws from prompts alone; POST {_DRAW} does"
    elif allowed:
        said = f"{request.method} is not allowed here; {allowed} is"
    elif error.status == web.HTTPNotFound.status_code:
        said = _nowhere(request.path)
    told = shapes.error("invalid_request_error", said, code=None, param=None)
    headers: dict[str, Any] = {"Allow": allowed} if allowed else {}
    return web.json_response(told, status=error.status, headers=headers)


def _nowhere(path: str) -> str:
    """What to do about a path that leads nowhere."""
    if path.startswith(("/images/", "/models")):
        return "there is no such path; a client's base URL must end in /v1"
    return f"there is no such path; POST {_DRAW} draws, and /openapi.json tells of all there is"
