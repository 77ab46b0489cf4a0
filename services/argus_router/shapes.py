"""What is answered over HTTP, in OpenAI's shapes, with Argus's own words under `argus`."""

from __future__ import annotations

import base64
import time
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from typing import Any

from argus_core.errors import ArgusError, InvalidRequest
from argus_protos.v1 import cluster_pb2, images_pb2
from argus_router.body import Body
from argus_rpc.convert import seconds
from argus_rpc.errors import HTTP_STATUS

MIME = {
    cluster_pb2.IMAGE_FORMAT_PNG: "image/png",
    cluster_pb2.IMAGE_FORMAT_WEBP: "image/webp",
    cluster_pb2.IMAGE_FORMAT_JPEG: "image/jpeg",
}
_TYPES = {
    "INVALID_ARGUMENT": "invalid_request_error",
    "FAILED_PRECONDITION": "invalid_request_error",
    "UNAUTHENTICATED": "authentication_error",
    "PERMISSION_DENIED": "permission_error",
    "NOT_FOUND": "invalid_request_error",
    "RESOURCE_EXHAUSTED": "rate_limit_error",
}
STATUS = {code: (status, _TYPES.get(code, "server_error")) for code, status in HTTP_STATUS.items()}
"""HTTP's status and OpenAI's type of an error, by its canonical code."""
_PARTS = ("total", "predict", "queue", "encode", "denoise", "decode")
_NO_USAGE = {
    "input_tokens": 0,
    "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
    "output_tokens": 0,
    "total_tokens": 0,
}
"""Argus counts no tokens, and OpenAI's event must have them."""

Events = Sequence[images_pb2.GenerateResponse]
Keep = Callable[[cluster_pb2.Image], str]
"""Keeps an image for later, and returns its URL."""


def answer(
    results: Events, *, request_id: str, quality: str, created: int, keep: Keep | None
) -> dict[str, Any]:
    """The body of an answer that is no stream, from the results in their order.

    Args:
        results: one event for each image.
        request_id: of all of them.
        quality: as asked for.
        created: seconds since 1970.
        keep: None for answers that carry the images.
    """
    images = [event.result.image for event in results]
    data = [{"url": keep(i)} if keep else {"b64_json": _base64(i)} for i in images]
    told = [{"index": event.index, **_drawn(event.result)} for event in results]
    return {
        "created": created,
        "background": "opaque",
        **_look(images[0], quality),
        "data": data,
        "argus": {"request_id": request_id, "images": told},
    }


def partial(
    event: images_pb2.GenerateResponse, *, number: int, quality: str, created: int
) -> dict[str, Any]:
    """The event of an image's preview; `number` counts them from 0."""
    return {
        "type": "image_generation.partial_image",
        "partial_image_index": number,
        "argus": {"index": event.index},
        **_event(event.progress.preview, quality, created),
    }


def completed(
    event: images_pb2.GenerateResponse, *, request_id: str, quality: str, created: int
) -> dict[str, Any]:
    """The event of an image that is there."""
    return {
        "type": "image_generation.completed",
        "usage": _NO_USAGE,
        "argus": {"index": event.index, "request_id": request_id, **_drawn(event.result)},
        **_event(event.result.image, quality, created),
    }


async def stream(
    events: AsyncIterable[images_pb2.GenerateResponse], body: Body
) -> AsyncIterator[tuple[str, dict[str, Any], str]]:
    """The events of an answer that is a stream: kind, body, and the request's id.

    Of each image at most as many previews as were asked for, and none of its last step.
    """
    request_id, previews = "", Counter[int]()
    async for event in events:
        created = int(time.time())
        if event.HasField("accepted"):
            request_id = event.accepted.request_id
        elif event.HasField("result"):
            told = completed(event, request_id=request_id, quality=body.quality, created=created)
            yield told["type"], told, request_id
        elif _is_preview(event) and previews[event.index] < body.request.previews:
            number = previews[event.index]
            previews[event.index] += 1
            told = partial(event, number=number, quality=body.quality, created=created)
            yield told["type"], told, request_id


def error(kind: str, message: str, *, code: str | None, param: str | None) -> dict[str, Any]:
    """OpenAI's error: its type, what is said, what programs tell it by, and the field."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def refusal(raised: ArgusError) -> tuple[int, dict[str, Any]]:
    """HTTP's status and OpenAI's error of what Argus raised."""
    status, kind = STATUS.get(raised.code, (500, "server_error"))
    param = raised.violations[0].field if isinstance(raised, InvalidRequest) else None
    return status, error(kind, str(raised), code=raised.code.lower(), param=param)


def _is_preview(event: images_pb2.GenerateResponse) -> bool:
    progress = event.progress
    return progress.HasField("preview") and progress.step < progress.steps


def _event(image: cluster_pb2.Image, quality: str, created: int) -> dict[str, Any]:
    return {
        "b64_json": _base64(image),
        "background": "opaque",
        "created_at": created,
        **_look(image, quality),
    }


def _look(image: cluster_pb2.Image, quality: str) -> dict[str, Any]:
    return {
        "output_format": MIME[image.format].removeprefix("image/"),
        "quality": quality,
        "size": f"{image.size.width}x{image.size.height}",
    }


def _drawn(result: images_pb2.Result) -> dict[str, Any]:
    timing = {part: round(seconds(getattr(result.timing, part)), 6) for part in _PARTS}
    return {
        **_decision(result.decision),
        "seed": result.seed,
        "worker": result.worker,
        "attempts": result.attempts,
        "timing_seconds": timing,
    }


def _decision(decision: images_pb2.Decision) -> dict[str, Any]:
    told = {
        "level": decision.level,
        "variant": decision.variant,
        "reason": decision.reason,
        "predicted_quality": decision.predicted_quality,
        "price": decision.price,
        "expected_completion_seconds": seconds(decision.expected_completion),
    }
    if decision.HasField("start_similarity"):
        told["start_similarity"] = decision.start_similarity
    if decision.options:
        told["options"] = [_option(option) for option in decision.options]
    return told


def _option(option: images_pb2.Option) -> dict[str, Any]:
    known = option.HasField("expected_completion")
    return {
        "level": option.level,
        "predicted_quality": option.predicted_quality,
        "expected_completion_seconds": seconds(option.expected_completion) if known else None,
        "rejected": option.rejected,
    }


def _base64(image: cluster_pb2.Image) -> str:
    return base64.b64encode(image.data).decode()
