"""The OpenAPI document of the HTTP front, as `/openapi.json` serves it.

The body's fields come from `argus_router.fields`, which also checks them; the models are this
cluster's; the answers are those of `argus_router.shapes`, and tests hold each against its schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from argus_core.spec import ClusterSpec
from argus_router import described, models
from argus_router.described import ref
from argus_router.fields import FIELDS, Field
from argus_router.request import NOBODY, TENANT, TENANT_NAME

Schema = dict[str, Any]

_EXAMPLES = {
    "plain": {"prompt": "a red circle on a blue ground"},
    "in time": {
        "prompt": "a red circle on a blue ground",
        "n": 2,
        "response_format": "url",
        "argus": {"deadline_seconds": 60.0, "minimum_quality": 0.3, "explain": True},
    },
    "streamed": {"prompt": "a red circle on a blue ground", "stream": True, "partial_images": 2},
}
_TOLD = {
    400: "A field is wrong; `param` names it.",
    401: "No API key, or none that is known here.",
    403: "The API key is not for this.",
    404: "There is no such thing.",
    429: "No capacity in time; `Retry-After` tells when to come again.",
    500: "The router's own fault.",
    503: "Not now; `Retry-After` tells when to come again.",
    504: "The deadline passed.",
}


def document(spec: ClusterSpec, *, keyed: bool = False) -> Schema:
    """The document for a cluster; `keyed` where requests need API keys."""
    names = models.names(spec)
    secured: Schema = {"security": [{"key": []}]} if keyed else {}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Argus",
            "version": "1",
            "description": "OpenAI's images API, over a cluster that picks each prompt's level. "
            "Argus's own fields stand under `argus`, in the body and in the answer.",
        },
        "paths": {
            "/v1/images/generations": {"post": {**_generate(keyed=keyed), **secured}},
            "/v1/images/{id}": {"get": _image()},
            "/v1/models": {"get": {**_models(keyed=keyed), **secured}},
            "/v1/models/{id}": {"get": {**_model(keyed=keyed), **secured}},
            "/openapi.json": {"get": _plain("document", "This document.", "application/json")},
            "/healthz": {"get": _plain("health", "The router lives.", "application/json")},
            "/readyz": {"get": _readiness()},
            "/metrics": {"get": _plain("metrics", "For Prometheus.", "text/plain")},
        },
        "components": {
            "schemas": {"Body": _object(FIELDS, names), **described.SCHEMAS},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _object(fields: Mapping[str, Field], names: list[str]) -> Schema:
    return {
        "type": "object",
        "properties": {name: _field(name, field, names) for name, field in fields.items()},
        "required": [name for name, field in fields.items() if field.required],
        "additionalProperties": False,
    }


def _field(name: str, field: Field, names: list[str]) -> Schema:
    schema: Schema = dict(field.schema)
    if field.inner is not None:
        schema |= _object(field.inner, names)
    if name in {"model", "level"}:
        schema["enum"] = names
    if not field.required:
        schema["type"] = [schema["type"], "null"]
        if "enum" in schema:
            schema["enum"] = [*schema["enum"], None]
    return {**schema, "description": field.description, "examples": [field.example]}


def _generate(*, keyed: bool) -> Schema:
    examples = {name: {"value": value} for name, value in _EXAMPLES.items()}
    answer = {
        "description": "The images, or the stream of their events.",
        "headers": {"x-request-id": {"schema": {"type": "string"}}},
        "content": {
            "application/json": {"schema": ref("Images")},
            "text/event-stream": {"schema": ref("Event")},
        },
    }
    return {
        "operationId": "generate",
        "summary": "Draw images of a prompt.",
        "description": "With `stream: true` the events are `image_generation.partial_image` and "
        "`image_generation.completed` (schemas PartialImage and CompletedImage), and `error` "
        "where it fails after the first of them.",
        "parameters": [] if keyed else [_tenant()],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": ref("Body"), "examples": examples}},
        },
        "responses": {"200": answer, **_errors(400, 429, 500, 503, 504, keyed=keyed)},
    }


def _tenant() -> Schema:
    return {
        "name": TENANT,
        "in": "header",
        "description": f"Whose the request is; absent: `{NOBODY}`.",
        "schema": {"type": "string", "pattern": f"^{TENANT_NAME}$"},
    }


def _image() -> Schema:
    kinds = {f"image/{kind}": {"schema": {"type": "string"}} for kind in ("png", "webp", "jpeg")}
    return {
        "operationId": "image",
        "summary": "An image by the URL that an answer told; for an hour at most.",
        "parameters": [_id("The image's name.")],
        "responses": {"200": {"description": "The image.", "content": kinds}, **_errors(404)},
    }


def _models(*, keyed: bool) -> Schema:
    return {
        "operationId": "models",
        "summary": "`auto`, and the levels from dearest to cheapest.",
        "responses": {"200": _json("The models.", ref("Models")), **_errors(keyed=keyed)},
    }


def _model(*, keyed: bool) -> Schema:
    return {
        "operationId": "model",
        "summary": "One level, or `auto`.",
        "parameters": [_id("The model's name.")],
        "responses": {"200": _json("The model.", ref("Model")), **_errors(404, keyed=keyed)},
    }


def _readiness() -> Schema:
    told = _json("Whether requests are welcome.", {"type": "object"})
    return {
        "operationId": "readiness",
        "summary": "The router has workers, and is not shutting down.",
        "responses": {"200": told, "503": told},
    }


def _plain(name: str, summary: str, kind: str) -> Schema:
    schema = {"type": "string" if kind == "text/plain" else "object"}
    answer = {"description": summary, "content": {kind: {"schema": schema}}}
    return {"operationId": name, "summary": summary, "responses": {"200": answer}}


def _id(description: str) -> Schema:
    return {
        "name": "id",
        "in": "path",
        "required": True,
        "description": description,
        "schema": {"type": "string", "minLength": 1},
    }


def _json(description: str, schema: Schema) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _errors(*statuses: int, keyed: bool = False) -> Schema:
    wanted = sorted({*statuses, *((401, 403) if keyed else ())})
    return {str(status): _json(_TOLD[status], ref("Error")) for status in wanted}
