"""What is drawn for a page: its wishes read, and the events of a request as JSON. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from argus_client import Accepted, Event, Order, Picture, Progress
from argus_core.errors import InvalidRequest, Violation

MOST = 16 * 1024
"""Bytes of a body: a prompt is 8 KiB at most."""
_KINDS: Mapping[str, tuple[type, ...]] = {
    "prompt": (str,),
    "negative_prompt": (str,),
    "level": (str,),
    "seed": (int,),
    "deadline": (int, float),
    "minimum_quality": (int, float),
}
_NAMES = {str: "text", int: "a whole number", float: "a number"}
_LONGEST = 600.0
"""Seconds that a page waits for a picture at most."""


def fields(data: bytes, kinds: Mapping[str, tuple[type, ...]]) -> dict[str, Any]:
    """A body of JSON with these fields, each of its kind and each left out where it is null.

    Raises:
        InvalidRequest: naming every field that is wrong or not known.
    """
    try:
        told = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest.one("body", f"must be JSON: {error}") from error
    if not isinstance(told, dict):
        raise InvalidRequest.one("body", "must be a JSON object")
    given = {name: value for name, value in told.items() if value is not None}
    wrong = [
        Violation(name, f"must be {_NAMES[kinds[name][-1]]}" if name in kinds else "is not known")
        for name, value in given.items()
        if name not in kinds or isinstance(value, bool) or not isinstance(value, kinds[name])
    ]
    if wrong:
        raise InvalidRequest(wrong)
    return given


def order(data: bytes) -> Order:
    """What a page wants drawn: with a preview of every step, and every level that was weighed.

    Raises:
        InvalidRequest: naming every field that is wrong.
    """
    given = fields(data, _KINDS)
    given.setdefault("deadline", None)
    if given["deadline"] is not None and not 0 < given["deadline"] <= _LONGEST:
        raise InvalidRequest.one("deadline", f"must be more than 0 and at most {_LONGEST:g} s")
    if "prompt" not in given:
        raise InvalidRequest.one("prompt", "is missing")
    return Order(**given, preview_every_steps=1, explain=True)


def told(event: Event) -> tuple[str, dict[str, Any]]:
    """The name of an event, and what it says."""
    if isinstance(event, Progress):
        preview = _url(event.preview, "png") if event.preview else None
        return "step", {"step": event.step, "steps": event.steps, "preview": preview}
    decision = asdict(event.decision)
    if isinstance(event, Accepted):
        return "accepted", {"request": event.request_id, "decision": decision}
    return "picture", {**_picture(event), "decision": decision}


def _picture(picture: Picture) -> dict[str, Any]:
    return {
        "image": _url(picture.data, picture.image_format),
        "width": picture.size[0],
        "height": picture.size[1],
        "seed": str(picture.seed),  # It may have more bits than a browser's numbers.
        "worker": picture.worker,
        "attempts": picture.attempts,
        "steps": picture.steps,
        "skipped": picture.skipped_steps,
        "timing": asdict(picture.timing),
    }


def _url(data: bytes, image_format: str) -> str:
    return f"data:image/{image_format};base64,{base64.b64encode(data).decode()}"
