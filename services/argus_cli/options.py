"""Reads options: every error names the option, as it is typed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import isfinite
from pathlib import Path

from argus_core.errors import InvalidRequest, Violation

_NUMBER = re.compile(r"\d+(?:\.\d*)?|\.\d+")
_PART = re.compile(rf"({_NUMBER.pattern})(ms|s|min|m|h|d)")
_SIZE = re.compile(r"([1-9]\d{0,3})x([1-9]\d{0,3})")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}


def duration(option: str, text: str) -> float:
    """Seconds of `8s`, `500ms`, `2m`, `1h30m`, or `8` for seconds; more than 0.

    Raises:
        InvalidRequest: naming the option.
    """
    text = text.strip().lower()
    parts = [(text, "s")] if _NUMBER.fullmatch(text) else _PART.findall(text)
    whole = "".join(number + unit for number, unit in parts) in {text, text + "s"}
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts) if whole else 0.0
    if not 0 < seconds < float("inf"):
        raise InvalidRequest.one(option, f"must be a time such as 8s, 500ms or 1h, not {text!r}")
    return seconds


def above_zero(option: str, value: float) -> float:
    """The value, a finite number above 0.

    Raises:
        InvalidRequest: naming the option.
    """
    if not (isfinite(value) and value > 0):
        raise InvalidRequest.one(option, f"must be above 0, not {value:g}")
    return value


def share(option: str, value: float) -> float:
    """The value, 0 to 1.

    Raises:
        InvalidRequest: naming the option.
    """
    return within(option, value, 0, 1)


def within(option: str, value: float, least: float, most: float) -> float:
    """The value, which lies between the two or is one of them.

    Raises:
        InvalidRequest: naming the option.
    """
    if not least <= value <= most:
        raise InvalidRequest.one(option, f"must be {least:g} to {most:g}, not {value:g}")
    return value


def between(option: str, value: float, least: float, most: float) -> float:
    """The value, which lies between the two and is neither.

    Raises:
        InvalidRequest: naming the option.
    """
    if not least < value < most:
        problem = f"must be more than {least:g} and less than {most:g}, not {value:g}"
        raise InvalidRequest.one(option, problem)
    return value


def size(option: str, text: str) -> tuple[int, int]:
    """Width and height in pixels of `64x48`.

    Raises:
        InvalidRequest: naming the option.
    """
    found = _SIZE.fullmatch(text.strip().lower())
    if found is None:
        problem = f"must be WIDTHxHEIGHT in pixels, such as 64x64, not {text!r}"
        raise InvalidRequest.one(option, problem)
    return int(found[1]), int(found[2])


def count(option: str, value: int, *, most: int) -> int:
    """The value, 1 to `most`.

    Raises:
        InvalidRequest: naming the option.
    """
    if not 1 <= value <= most:
        raise InvalidRequest.one(option, f"must be 1 to {most:,}, not {value}")
    return value


def at_least(option: str, value: int, least: int) -> int:
    """The value, no less than `least`.

    Raises:
        InvalidRequest: naming the option.
    """
    if value < least:
        raise InvalidRequest.one(option, f"must be {least} or more, not {value}")
    return value


def names(option: str, text: str, known: list[str]) -> list[str]:
    """Names of a comma-separated list, each known and none twice.

    Raises:
        InvalidRequest: naming the option.
    """
    found = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if unknown := [name for name in found if name not in known]:
        problem = f"there is no {unknown[0]!r}; there are {', '.join(known)}"
        raise InvalidRequest.one(option, problem)
    if not found:
        raise InvalidRequest.one(option, f"names none of {', '.join(known)}")
    return found


def cores() -> int:
    """That this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def folder(option: str, path: Path) -> Path:
    """A folder to write into, made where there is none.

    Raises:
        InvalidRequest: naming the option.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = f"{path}: {error.strerror or 'cannot be made'}"
        raise InvalidRequest.one(option, problem) from error
    return path


@contextmanager
def named(by_field: Mapping[str, str]) -> Iterator[None]:
    """Have what the core refuses name the option that a field came from, where there is one."""
    try:
        yield
    except InvalidRequest as error:
        raise InvalidRequest(
            [Violation(by_field.get(v.field, v.field), v.problem) for v in error.violations]
        ) from error
