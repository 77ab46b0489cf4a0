"""The body of OpenAI's `POST /v1/images/generations`: what is read, and what is refused.

Every field that OpenAI defines is read as OpenAI defines it, or refused by its name where this
cluster cannot honour it; null counts as absent. `quality` and `moderation` are honoured by
doing nothing: Argus draws as well as the deadline allows whatever is asked, and no variant
moderates.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from argus_core.errors import InvalidRequest, Violation
from argus_router.request import NOBODY, Format, Request

MAX_BYTES = 128 * 1024
"""Of a body: a prompt of 8192 bytes, each written as an escape, is 48 KiB."""

AUTO = "auto"
"""The model's name that lets Argus choose."""

_FORMATS = {"png": Format.PNG, "webp": Format.WEBP, "jpeg": Format.JPEG}
_SIZE = re.compile(r"([1-9][0-9]{0,5})x([1-9][0-9]{0,5})")
_NAMES = {"count": "n", "level": "model", "format": "output_format"}

Check = Callable[[Any], str]
"""What is wrong with a value; empty for nothing."""


@dataclass(frozen=True, kw_only=True)
class Body:
    """A body that was read."""

    request: Request
    by_url: bool
    """Whether to answer with URLs rather than with the images themselves."""


def read_body(data: bytes, tenant: str = NOBODY) -> Body:
    """Read a body that a tenant sent.

    Raises:
        InvalidRequest: naming every field that has the wrong type or is not supported.
    """
    fields = {name: value for name, value in _parse(data).items() if value is not None}
    if violations := list(_violations(fields)):
        raise InvalidRequest(violations)
    model, width_height = fields.get("model", AUTO), fields.get("size", AUTO)
    request = Request(
        prompt=fields["prompt"],
        count=fields.get("n", 1),
        level=None if model == AUTO else model,
        size=None if width_height == AUTO else _size(width_height),
        format=_FORMATS[fields.get("output_format", "png")],
        tenant=tenant,
    )
    return Body(request=request, by_url=fields.get("response_format") == "url")


def field_name(field: str) -> str:
    """The name that OpenAI's body has for a field of the service's request."""
    return "size" if field.startswith("size.") else _NAMES.get(field, field)


def _parse(data: bytes) -> Mapping[str, Any]:
    try:
        # Bytes that are no UTF-8 become surrogates, so that their field can be named.
        fields = json.loads(data.decode("utf-8", errors="surrogateescape"))
    except (ValueError, RecursionError) as error:
        raise InvalidRequest.one("body", f"must be JSON: {error}") from error
    if not isinstance(fields, dict):
        raise InvalidRequest.one("body", "must be a JSON object")
    return fields


def _violations(fields: Mapping[str, Any]) -> Iterator[Violation]:
    if "prompt" not in fields:
        yield Violation("prompt", "is required")
    for name, value in fields.items():
        check = _CHECKS.get(name)
        problem = "is not supported" if check is None else check(value)
        if problem:
            yield Violation(_printable(name), problem)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        return "must be a string"
    return "" if _is_unicode(value) else "must be valid UTF-8"


def _whole(value: Any) -> str:
    return "" if type(value) is int else "must be a whole number"


def _one_of(*allowed: Any) -> Check:
    def check(value: Any) -> str:
        # By type too: in Python, 0 is False and 1.0 is 1.
        known = any(type(value) is type(each) and value == each for each in allowed)
        return "" if known else f"must be one of {', '.join(map(str, allowed))}"

    return check


def _wanted_size(value: Any) -> str:
    known = isinstance(value, str) and (value == AUTO or _SIZE.fullmatch(value))
    return "" if known else "must be `auto` or WIDTHxHEIGHT in pixels"


def _size(value: str) -> tuple[int, int]:
    width, height = value.split("x")
    return int(width), int(height)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _printable(name: str) -> str:
    return name.encode(errors="replace").decode()[:64]


_CHECKS: Mapping[str, Check] = {
    "prompt": _text,
    "model": _text,
    "n": _whole,
    "size": _wanted_size,
    "response_format": _one_of("url", "b64_json"),
    "output_format": _one_of(*_FORMATS),
    "output_compression": _one_of(100),
    "quality": _one_of("auto", "low", "medium", "high", "xhigh", "max", "standard", "hd"),
    "background": _one_of("auto", "opaque"),
    "moderation": _one_of("auto", "low"),
    "partial_images": _one_of(0),
    "stream": _one_of(False),
    "user": _text,
    "safety_identifier": _text,
}
