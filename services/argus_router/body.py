"""The body of OpenAI's `POST /v1/images/generations`, as the service's request.

Every field that OpenAI defines is read as OpenAI defines it, or refused by its name where this
cluster cannot honour it; null counts as absent. `quality` and `moderation` are honoured by
doing nothing: Argus draws as well as the deadline allows whatever is asked, and no variant
moderates. Argus's own fields stand under `argus`. The table is `argus_router.fields`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from argus_core.errors import InvalidRequest, Violation
from argus_router.fields import ARGUS, AUTO, FIELDS, FORMATS, Field, violations, whole
from argus_router.request import NOBODY, Band, Format, Request

MAX_BYTES = 128 * 1024
"""Of a body: two texts of 8192 bytes, each written as an escape, are 96 KiB."""

_FORMATS = dict(zip(FORMATS, (Format.PNG, Format.WEBP, Format.JPEG), strict=True))
_BANDS = {band.name.lower(): band for band in Band}
_NAMES = {
    "count": "n",
    "level": "model",
    "format": "output_format",
    "deadline": "argus.deadline_seconds",
    **{name: f"argus.{name}" for name in ("minimum_quality", "priority", "seed")},
    "negative_prompt": "argus.negative_prompt",
}


@dataclass(frozen=True, kw_only=True)
class Body:
    """A body that was read."""

    request: Request
    by_url: bool
    """Whether to answer with URLs rather than with the images themselves."""
    streamed: bool
    """Whether to answer with events."""
    quality: str
    """As asked for; it is echoed."""
    by_own_name: bool
    """Whether the level was named under `argus`."""

    def named(self, error: InvalidRequest) -> InvalidRequest:
        """What the service found wrong, by the names of this body's fields."""
        told = (Violation(self._name(v.field), self._problem(v)) for v in error.violations)
        return InvalidRequest(list(told))

    @staticmethod
    def _problem(violation: Violation) -> str:
        side = violation.field.removeprefix("size.")
        return f"{side} {violation.problem}" if side != violation.field else violation.problem

    def _name(self, field: str) -> str:
        if field == "level" and self.by_own_name:
            return "argus.level"
        return "size" if field.startswith("size.") else _NAMES.get(field, field)


def read_body(data: bytes, tenant: str = NOBODY) -> Body:
    """Read a body that a tenant sent.

    Raises:
        InvalidRequest: naming every field that has the wrong type or is not supported.
    """
    told = _parse(data)
    if wrong := list(violations(told)):
        raise InvalidRequest(wrong)
    fields = _given(told, FIELDS)
    own = _given(fields.get("argus", {}), ARGUS)
    level = own.get("level", fields.get("model", AUTO))
    streamed = fields.get("stream", False)
    request = Request(
        prompt=fields["prompt"],
        negative_prompt=own.get("negative_prompt", ""),
        count=fields.get("n", 1),
        seed=own.get("seed"),
        deadline=own.get("deadline_seconds"),
        minimum_quality=own.get("minimum_quality"),
        level=None if level == AUTO else level,
        band=_BANDS[own.get("priority", "normal")],
        size=_size(fields.get("size", AUTO)),
        format=_FORMATS[fields.get("output_format", "png")],
        previews=fields.get("partial_images", 0) if streamed else 0,
        progress=False,
        explain=own.get("explain", False),
        tenant=tenant,
    )
    return Body(
        request=request,
        by_url=fields.get("response_format") == "url" and not streamed,
        streamed=streamed,
        quality=fields.get("quality", AUTO),
        by_own_name="level" in own,
    )


def _parse(data: bytes) -> Mapping[str, Any]:
    try:
        # Bytes that are no UTF-8 become surrogates, so that their field can be named.
        fields = json.loads(data.decode("utf-8", errors="surrogateescape"))
    except (ValueError, RecursionError) as error:
        raise InvalidRequest.one("body", f"must be JSON: {error}") from error
    if not isinstance(fields, dict):
        raise InvalidRequest.one("body", "must be a JSON object")
    return fields


def _given(values: Mapping[str, Any], fields: Mapping[str, Field]) -> dict[str, Any]:
    """Those that are there, each of its own type."""
    return {
        name: whole(value) if fields[name].schema["type"] == "integer" else value
        for name, value in values.items()
        if value is not None
    }


def _size(value: str) -> tuple[int, int] | None:
    if value == AUTO:
        return None
    width, height = value.split("x")
    return int(width), int(height)
