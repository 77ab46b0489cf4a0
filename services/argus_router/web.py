"""The HTTP front: OpenAI's images API, health, metrics, and images by URL.

A client that goes away cancels its handler, and with it the drawing.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import math
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from argus_core.errors import ArgusError, InvalidRequest, NotFound
from argus_protos.v1 import cluster_pb2, images_pb2
from argus_router.body import AUTO, MAX_BYTES, Body, field_name, read_body
from argus_router.request import NOBODY, TENANT
from argus_router.service import Service
from argus_router.store import ImageStore

log = logging.getLogger(__name__)

_PATIENCE = 10.0
"""Seconds in which a client must have sent its body."""
_STATUS = {
    "INVALID_ARGUMENT": (400, "invalid_request_error"),
    "NOT_FOUND": (404, "invalid_request_error"),
    "RESOURCE_EXHAUSTED": (429, "rate_limit_error"),
    "UNAVAILABLE": (503, "server_error"),
    "DEADLINE_EXCEEDED": (504, "server_error"),
}
_MIME = {
    cluster_pb2.IMAGE_FORMAT_PNG: "image/png",
    cluster_pb2.IMAGE_FORMAT_WEBP: "image/webp",
    cluster_pb2.IMAGE_FORMAT_JPEG: "image/jpeg",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Front:
    """The routes, over the router's service."""

    def __init__(self, service: Service, store: ImageStore) -> None:
        self._service, self._store = service, store
        self._started = int(time.time())

    def app(self) -> web.Application:
        """The application to serve."""
        app = web.Application(client_max_size=MAX_BYTES, middlewares=[_in_openai_shape])
        app.add_routes(
            [
                web.post("/v1/images/generations", self._generate),
                web.get("/v1/images/{id}", self._image),
                web.get("/v1/models", self._models),
                web.get("/v1/models/{id}", self._model),
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics),
            ]
        )
        return app

    async def _generate(self, request: web.Request) -> web.Response:
        body = read_body(await _received(request), _tenant(request))
        request_id, results = "", dict[int, images_pb2.Result]()
        async with aclosing(self._service.draw(body.request)) as events:
            async for event in events:
                kind = event.WhichOneof("event")
                if kind == "accepted":
                    request_id = event.accepted.request_id
                elif kind == "result":
                    results[event.index] = event.result
        ordered = [results[index] for index in sorted(results)]
        return web.json_response(
            self._answer(request, body, ordered), headers={"x-request-id": request_id}
        )

    def _answer(
        self, request: web.Request, body: Body, results: Iterable[images_pb2.Result]
    ) -> dict[str, Any]:
        images = [result.image for result in results]
        first = images[0]
        return {
            "created": int(time.time()),
            "background": "opaque",
            "output_format": _MIME[first.format].removeprefix("image/"),
            "size": f"{first.size.width}x{first.size.height}",
            "data": [
                {"url": self._url(request, image)}
                if body.by_url
                else {"b64_json": base64.b64encode(image.data).decode()}
                for image in images
            ],
        }

    def _url(self, request: web.Request, image: cluster_pb2.Image) -> str:
        name = self._store.put(image.data, _MIME[image.format])
        return f"{request.scheme}://{request.host}/v1/images/{name}"

    async def _image(self, request: web.Request) -> web.Response:
        image = self._store.get(request.match_info["id"])
        if image is None:
            raise NotFound("there is no such image, or its time is over")
        return web.Response(body=image.data, content_type=image.mime)

    async def _models(self, request: web.Request) -> web.Response:
        del request
        return web.json_response({"object": "list", "data": list(map(self._entry, self._names()))})

    async def _model(self, request: web.Request) -> web.Response:
        if (name := request.match_info["id"]) not in self._names():
            raise NotFound(f"there is no model {name!r}; there are {', '.join(self._names())}")
        return web.json_response(self._entry(name))

    def _names(self) -> list[str]:
        return [AUTO, *(level.name for level in self._service.cluster.spec.ladder)]

    def _entry(self, name: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": self._started, "owned_by": "argus"}

    async def _healthz(self, request: web.Request) -> web.Response:
        del request
        return web.json_response({"healthy": True})

    async def _readyz(self, request: web.Request) -> web.Response:
        del request
        ready = self._service.ready
        return web.json_response({"ready": ready}, status=200 if ready else 503)

    async def _metrics(self, request: web.Request) -> web.Response:
        del request
        headers = {"Content-Type": CONTENT_TYPE_LATEST}
        return web.Response(body=self._service.exposition(), headers=headers)


def _tenant(request: web.Request) -> str:
    """Whom the headers name; two names are none, and are refused as such."""
    told = request.headers.getall(TENANT, [])
    return ", ".join(told) if told else NOBODY


async def _received(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(_PATIENCE):
            return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise InvalidRequest.one("body", f"must be at most {MAX_BYTES} bytes") from error
    except TimeoutError as error:
        raise InvalidRequest.one("body", f"must be sent within {_PATIENCE:.0f} s") from error


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
        return _error(error.status, "invalid_request_error", error.reason, code=None, param=None)
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        message = "internal error; the server's log tells more"
        return _error(500, "server_error", message, code="internal", param=None)


def _refusal(error: ArgusError) -> web.Response:
    status, kind = _STATUS.get(error.code, (500, "server_error"))
    param, message = None, str(error)
    if isinstance(error, InvalidRequest):
        named = [(field_name(v.field), v.problem) for v in error.violations]
        param, message = named[0][0], "; ".join(f"{field}: {problem}" for field, problem in named)
    response = _error(status, kind, message, code=error.code.lower(), param=param)
    if error.retry_after is not None:
        # Retry-After knows whole seconds only; OpenAI's clients read the finer one first.
        response.headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
        response.headers["retry-after-ms"] = str(math.ceil(error.retry_after * 1000))
    return response


def _error(
    status: int, kind: str, message: str, *, code: str | None, param: str | None
) -> web.Response:
    error = {"message": message, "type": kind, "param": param, "code": code}
    return web.json_response({"error": error}, status=status)
