"""The fields of the HTTP body: one table that checks a body and that the OpenAPI document shows.

A field's schema is JSON Schema, of which the few words below are understood. Where JSON Schema
cannot say what is asked (bytes of UTF-8, levels of this cluster), the service's own check comes
after, and refuses the same field by the same name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from argus_core.errors import Violation
from argus_router.request import MAX_COUNT, MAX_DEADLINE, MAX_PREVIEWS, MAX_TEXT_BYTES

AUTO = "auto"
"""The model's and the size's name that lets Argus choose."""
FORMATS = ("png", "webp", "jpeg")
PRIORITIES = ("low", "normal", "high")
QUALITIES = ("auto", "low", "medium", "high", "xhigh", "max", "standard", "hd")
_SIDE = "([1-9][0-9]{0,2}|[1-7][0-9]{3}|80[0-9]{2}|81[0-8][0-9]|819[0-2])"
_SEEN = r"[^\s\u001c-\u001f\u0085\ufeff]"
"""Something to see: what JavaScript, Python and Rust take for space is not the same."""
_MOST_SEED = 2**64 - MAX_COUNT
"""So that the seeds of as many images as can be asked for are below 2^64."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of a body."""

    schema: Mapping[str, Any]
    """JSON Schema; null counts as absent whatever it says, unless `required`."""
    description: str
    example: Any
    told: str = ""
    """What is said to whoever gets the pattern wrong."""
    required: bool = False
    inner: Mapping[str, Field] | None = None
    """Of an object: its fields, and no others."""


def _text(description: str, example: str) -> Field:
    schema = {"type": "string", "maxLength": MAX_TEXT_BYTES}
    return Field(schema=schema, description=description, example=example)


def _one_of(*allowed: str, description: str, example: str) -> Field:
    schema = {"type": "string", "enum": list(allowed)}
    return Field(schema=schema, description=description, example=example)


ARGUS: Mapping[str, Field] = {
    "deadline_seconds": Field(
        schema={"type": "number", "exclusiveMinimum": 0, "maximum": MAX_DEADLINE},
        description="From the request's arrival until its last image; absent: the cluster's.",
        example=60.0,
    ),
    "minimum_quality": Field(
        schema={"type": "number", "minimum": 0, "maximum": 1},
        description="Never draw below this predicted quality, which some level must be expected to "
        "reach; absent: the cluster's.",
        example=0.5,
    ),
    "level": _text("Draw at this level and no other; goes before `model`.", "auto"),
    "priority": _one_of(
        *PRIORITIES, description="Who goes first where requests wait.", example="normal"
    ),
    "seed": Field(
        schema={"type": "integer", "minimum": 0, "maximum": _MOST_SEED},
        description="Image i is drawn from seed + i; absent: the server draws one and tells it.",
        example=7,
    ),
    "negative_prompt": _text("What to avoid; at most 8192 bytes of UTF-8.", "text, frames"),
    "explain": Field(
        schema={"type": "boolean"},
        description="Tell every level that was weighed, and why it was not taken.",
        example=True,
    ),
}
"""Argus's own fields, under `argus`."""

FIELDS: Mapping[str, Field] = {
    "prompt": Field(
        schema={"type": "string", "maxLength": MAX_TEXT_BYTES, "pattern": _SEEN},
        description="What to draw; at most 8192 bytes of UTF-8.",
        example="a red circle on a blue ground",
        told="must not be empty",
        required=True,
    ),
    "model": _text("A level's name, or `auto`: Argus chooses.", AUTO),
    "n": Field(
        schema={"type": "integer", "minimum": 1, "maximum": MAX_COUNT},
        description="Images to draw.",
        example=1,
    ),
    "size": Field(
        schema={"type": "string", "pattern": f"^(auto|{_SIDE}x{_SIDE})$"},
        description="`auto`, the cluster's default, or WIDTHxHEIGHT in pixels.",
        example=AUTO,
        told="must be `auto` or WIDTHxHEIGHT in pixels, each 1 to 8192",
    ),
    "response_format": _one_of(
        "url",
        "b64_json",
        description="How the images come; a stream's always come as b64_json.",
        example="b64_json",
    ),
    "output_format": _one_of(*FORMATS, description="The images' encoding.", example="png"),
    "output_compression": Field(
        schema={"type": "integer", "enum": [100]},
        description="Only 100, which is best, is offered.",
        example=100,
    ),
    "quality": _one_of(
        *QUALITIES,
        description="Understood and echoed; Argus always draws as well as the deadline allows.",
        example="auto",
    ),
    "background": _one_of("auto", "opaque", description="Images are opaque.", example="opaque"),
    "moderation": _one_of(
        "auto", "low", description="Understood; no variant moderates.", example="auto"
    ),
    "stream": Field(
        schema={"type": "boolean"},
        description="Answer with server-sent events, previews first.",
        example=False,
    ),
    "partial_images": Field(
        schema={"type": "integer", "minimum": 0, "maximum": MAX_PREVIEWS},
        description="Previews of each image in a stream, at most; without a stream there are none.",
        example=0,
    ),
    "user": _text("Understood; does nothing.", "someone"),
    "safety_identifier": _text("Understood; does nothing.", "someone"),
    "argus": Field(
        schema={"type": "object"},
        description="Argus's own fields.",
        example={"deadline_seconds": 60.0, "seed": 7, "explain": True},
        inner=ARGUS,
    ),
}
"""The body of `POST /v1/images/generations`."""

ELSEWHERE: Mapping[str, str] = {
    **{name: f"give it as argus.{name}" for name in ARGUS},
    "style": "say it in the prompt",
    **dict.fromkeys(("width", "height"), "give size, as WIDTHxHEIGHT"),
    **dict.fromkeys(
        ("steps", "num_inference_steps", "guidance_scale"), "name a level that has them, as model"
    ),
    "num_images_per_prompt": "give n",
}
"""What to do instead, by the names that other servers' clients have for it."""

_TYPES = {
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "an object",
}


def violations(
    values: Mapping[str, Any], fields: Mapping[str, Field] = FIELDS, within: str = ""
) -> Iterator[Violation]:
    """What is wrong with a body's values, by the path of each field."""
    for name, field in fields.items():
        if field.required and values.get(name) is None:
            yield Violation(within + name, "is required")
    for name, value in values.items():
        path, known = within + _printable(name), fields.get(name)
        if known is None:
            instead = "" if within else ELSEWHERE.get(name, "")
            yield Violation(path, f"is not supported; {instead}".rstrip("; "))
        elif value is not None:
            if said := problem(value, known):
                yield Violation(path, said)
            elif known.inner is not None:
                yield from violations(value, known.inner, f"{name}.")


def problem(value: Any, field: Field) -> str:
    """What is wrong with one value; empty for nothing."""
    schema = field.schema
    if not _is(value, schema["type"]):
        return f"must be {_TYPES[schema['type']]}"
    if isinstance(value, str) and not _is_unicode(value):
        return "must be valid UTF-8"
    if "enum" in schema and value not in schema["enum"]:
        several = "one of " if len(schema["enum"]) > 1 else ""
        return f"must be {several}{', '.join(map(str, schema['enum']))}"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        return field.told
    return _out_of_range(value, schema)


def whole(value: Any) -> Any:
    """A number without a fraction as the integer that JSON Schema takes it for."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _is(value: Any, kind: str) -> bool:
    if kind == "integer":
        return type(whole(value)) is int
    if kind == "number":
        return type(value) is int or (type(value) is float and math.isfinite(value))
    return isinstance(value, {"string": str, "boolean": bool, "object": dict}[kind])


def _out_of_range(value: Any, schema: Mapping[str, Any]) -> str:
    low, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    high, most = schema.get("maximum"), schema.get("maxLength")
    if most is not None and len(value) > most:
        return f"must be at most {most} characters"
    if above is not None and not above < value <= high:
        return f"must be more than {above} and at most {high:g}"
    if low is not None and not low <= value <= high:
        return f"must be {low} to {high}"
    return ""


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _printable(name: str) -> str:
    return name.encode(errors="replace").decode()[:64]
