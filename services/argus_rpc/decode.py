"""Strict decoding: a request that is no valid message is refused with the field's name.

Left alone, gRPC answers bytes that it cannot parse with INTERNAL, which blames the server.
Here the parser returns `Malformed` instead of raising, and the boundary refuses that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.internal.decoder import _DecodeVarint  # type: ignore[attr-defined]
from google.protobuf.message import DecodeError, Message

from argus_core.errors import InvalidRequest

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True)
class Malformed:
    """A request that could not be parsed, and why."""

    error: InvalidRequest


def strict(parse: Callable[[bytes], Message], descriptor: Descriptor) -> Callable[[bytes], object]:
    """A request deserializer that returns `Malformed` where `parse` would raise."""

    def decode(data: bytes) -> object:
        try:
            return parse(data)
        except (DecodeError, UnicodeDecodeError):
            return Malformed(blame(data, descriptor))

    return decode


def blame(data: bytes, descriptor: Descriptor) -> InvalidRequest:
    """Find the field that keeps `data` from being a `descriptor` message."""
    path = _faulty_text(memoryview(data), descriptor)
    if path is not None:
        return InvalidRequest.one(path, "must be valid UTF-8")
    return InvalidRequest.one("request", f"is not a valid {descriptor.full_name} message")


def _faulty_text(data: memoryview, descriptor: Descriptor) -> str | None:
    try:
        for number, value in _fields(data):
            field = descriptor.fields_by_number.get(number)
            if field is None or value is None:
                continue
            if field.type == FieldDescriptor.TYPE_STRING and not _is_text(value):
                return field.name
            if field.type == FieldDescriptor.TYPE_MESSAGE and field.message_type is not None:
                inner = _faulty_text(value, field.message_type)
                if inner is not None:
                    return f"{field.name}.{inner}"
    except (IndexError, DecodeError):
        return None
    return None


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview | None]]:
    """Field numbers with their bytes; None for what holds no bytes."""
    position = 0
    while position < len(data):
        tag, position = _DecodeVarint(data, position)
        kind = tag & 7
        if kind == _BYTES:
            length, position = _DecodeVarint(data, position)
            if position + length > len(data):
                return
            yield tag >> 3, data[position : position + length]
            position += length
        elif kind == _VARINT:
            _, position = _DecodeVarint(data, position)
            yield tag >> 3, None
        elif kind in (_FIXED64, _FIXED32):
            position += 8 if kind == _FIXED64 else 4
            yield tag >> 3, None
        else:
            return


def _is_text(value: memoryview) -> bool:
    try:
        bytes(value).decode()
    except UnicodeDecodeError:
        return False
    return True
