"""What is wrong with a document, in words for whoever wrote it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from argus_core.errors import Violation

_SHOULD = re.compile(r"^\w+ should ")
_AFTER = re.compile(r" after validation, not \d+$")


def violations(error: ValidationError, model: type[BaseModel]) -> list[Violation]:
    """Every field that is wrong, by its path; `model` is what was checked."""
    found = [(tuple(item["loc"]), item) for item in error.errors()]
    beneath = {location[:depth] for location, _ in found for depth in range(len(location))}
    return [
        Violation(path(location), _problem(item, model))
        for location, item in found
        # A list lacks those of its items that are wrong themselves: that is told of them.
        if not (item["type"] == "too_short" and location in beneath)
    ]


def path(location: Iterable[int | str]) -> str:
    """A field's path as documents write it: `spec.pools[0].workers`."""
    told = ""
    for part in location:
        told += f"[{part}]" if isinstance(part, int) else f".{part}"
    return told.lstrip(".") or "document"


def _problem(item: Mapping[str, Any], model: type[BaseModel]) -> str:
    kind, above = item["type"], list(item["loc"])
    if kind == "missing":
        return "is required"
    if kind == "extra_forbidden":
        near = get_close_matches(str(above[-1]), _names(model, above[:-1]), n=1)
        return "there is no such field" + (f"; did you mean {near[0]}?" if near else "")
    if kind == "model_type" and not above:
        return "must be a mapping with apiVersion, kind, metadata and spec"
    said = _AFTER.sub("", _SHOULD.sub("must ", item["msg"].removeprefix("Value error, ")))
    given = item["input"]
    # Of texts only where few are right: any other might hold what is not for logs.
    shown = isinstance(given, int | float) or kind in {"literal_error", "enum"}
    return f"{said}, not {given!r}" if shown else said


def _names(model: type[BaseModel], location: Iterable[int | str]) -> list[str]:
    """Of the fields that there are at a place; none where it has none of its own."""
    at: type[BaseModel] | None = model
    for step in location:
        if at is not None and isinstance(step, str):
            inner = (field.annotation for name, field in _fields(at) if name == step)
            at = next(_models(next(inner, None)), None)
    return [] if at is None else [name for name, _ in _fields(at)]


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    return ((field.alias or name, field) for name, field in model.model_fields.items())


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
