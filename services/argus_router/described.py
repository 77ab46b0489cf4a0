"""The answers of the HTTP front as JSON Schema: what `argus_router.shapes` makes."""

from __future__ import annotations

from typing import Any

from argus_router.fields import FORMATS, QUALITIES

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_WHOLE: Schema = {"type": "integer", "minimum": 0}
_NUMBER: Schema = {"type": "number"}
_SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_SECONDS: Schema = {"type": "number", "description": "Seconds."}


def ref(name: str) -> Schema:
    """A reference to one of the document's schemas."""
    return {"$ref": f"#/components/schemas/{name}"}


def _object(*optional: str, **properties: Schema) -> Schema:
    """All properties are there, but for the optional ones, and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


_LOOK: dict[str, Schema] = {
    "background": {"const": "opaque"},
    "output_format": {"enum": list(FORMATS)},
    "quality": {"enum": list(QUALITIES)},
    "size": {"type": "string", "pattern": "^[0-9]+x[0-9]+$"},
}
_EVENT: dict[str, Schema] = {"b64_json": _TEXT, "created_at": _WHOLE, **_LOOK}
_DRAWN: dict[str, Schema] = {
    "index": _WHOLE,
    "level": _TEXT,
    "variant": _TEXT,
    "reason": {"type": "string", "description": "Why this level, in a sentence."},
    "predicted_quality": _SHARE,
    "price": {"type": "number", "description": "Of a second of the worker's, in quality."},
    "expected_completion_seconds": {"type": "number", "description": "From arrival, as decided."},
    "start_similarity": {"type": "number", "description": "Of the prompt that it begins from."},
    "options": {"type": "array", "items": ref("Option")},
    "seed": {**_WHOLE, "description": "Ask with it, for one image, to get this one again."},
    "worker": _TEXT,
    "attempts": {**_WHOLE, "description": "Times it was begun; 1 unless a worker was lost."},
    "timing_seconds": ref("Timing"),
}
_OPTIONAL = ("start_similarity", "options")
_PARTS = ("total", "predict", "queue", "encode", "denoise", "decode")

SCHEMAS: dict[str, Schema] = {
    "Images": _object(
        created=_WHOLE,
        **_LOOK,
        data={"type": "array", "items": _object("url", "b64_json", url=_TEXT, b64_json=_TEXT)},
        argus=_object(request_id=_TEXT, images={"type": "array", "items": ref("Drawn")}),
    ),
    "Drawn": _object(*_OPTIONAL, **_DRAWN),
    "Option": _object(
        level=_TEXT,
        predicted_quality=_SHARE,
        expected_completion_seconds={"type": ["number", "null"]},
        rejected={"type": "string", "description": "Why not; empty for the one taken."},
    ),
    "Timing": _object(**dict.fromkeys(_PARTS, _SECONDS)),
    "PartialImage": _object(
        type={"const": "image_generation.partial_image"},
        partial_image_index=_WHOLE,
        **_EVENT,
        argus=_object(index=_WHOLE),
    ),
    "CompletedImage": _object(
        type={"const": "image_generation.completed"},
        usage={"type": "object", "description": "OpenAI's; Argus counts no tokens: all 0."},
        **_EVENT,
        argus=_object(*_OPTIONAL, request_id=_TEXT, **_DRAWN),
    ),
    "Event": _object(
        event={"enum": ["image_generation.partial_image", "image_generation.completed", "error"]},
        data={
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"anyOf": list(map(ref, ("PartialImage", "CompletedImage", "Error")))},
        },
    ),
    "Error": _object(
        error=_object(
            message=_TEXT,
            type=_TEXT,
            param={"type": ["string", "null"], "description": "The field that is wrong."},
            code={"type": ["string", "null"], "description": "The canonical code, in small."},
        )
    ),
    "Models": _object(object={"const": "list"}, data={"type": "array", "items": ref("Model")}),
    "Model": _object(
        "argus",
        id=_TEXT,
        object={"const": "model"},
        created=_WHOLE,
        owned_by={"const": "argus"},
        argus=_object(
            variant=_TEXT,
            steps=_WHOLE,
            skipped_steps=_WHOLE,
            prior_quality=_SHARE,
            seconds_per_image=_NUMBER,
        ),
    ),
}
