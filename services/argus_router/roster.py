"""Where the workers are: a fixed list, or a file that is read again when it changes.

A file that is missing or malformed leaves the standing list in force: whoever writes it may
be half-way, and a router without workers is worse than one with yesterday's.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from argus_core.errors import InvalidRequest

log = logging.getLogger(__name__)

Roster = AsyncIterator[frozenset[str]]
"""Addresses of all workers, each time that they change."""

_LOOK_EVERY = 0.25
"""Seconds between looks at the file; a look is one stat."""


def parse_roster(text: str) -> frozenset[str]:
    """Addresses in a JSON list, or JSON lines, of `{"worker": name, "address": "host:port"}`.

    Raises:
        InvalidRequest: naming the entry that is wrong.
    """
    try:
        entries = json.loads(text) if text.lstrip().startswith("[") else _lines(text)
    except ValueError as error:
        raise InvalidRequest.one("workers", f"is neither a JSON list nor lines: {error}") from error
    return frozenset(_address(index, entry) for index, entry in enumerate(entries))


async def fixed(addresses: Sequence[str]) -> Roster:
    """The addresses given, once."""
    yield frozenset(addresses)


async def followed(path: Path) -> Roster:
    """The addresses in a file, now and whenever they change."""
    mark: object = None
    while True:
        if (seen := _mark(path)) != mark:
            mark = seen
            if (addresses := _read(path)) is not None:
                yield addresses
        await asyncio.sleep(_LOOK_EVERY)


def _read(path: Path) -> frozenset[str] | None:
    try:
        return parse_roster(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, InvalidRequest) as error:
        log.warning("%s is not used, the standing workers stay: %s", path, error)
        return None


def _mark(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def _address(index: int, entry: Any) -> str:
    address = entry.get("address") if isinstance(entry, dict) else None
    if not isinstance(address, str) or not address:
        raise InvalidRequest.one(f"workers[{index}].address", "must be `host:port`")
    return address
