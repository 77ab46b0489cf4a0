"""The history of plans as text, and in a file: within a size, and whole or not at all."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import Path

from google.protobuf.json_format import MessageToJson, Parse, ParseError

from argus_core.errors import ArgusError
from argus_protos.v1 import control_pb2

log = logging.getLogger(__name__)

MOST_BYTES = 512 * 1024
"""Of a file; some 200 records take that."""


def pack(records: Sequence[control_pb2.PlanRecord], *, most: int = MOST_BYTES) -> str:
    """A record a line, as JSON, oldest first; so many of the newest as fit into `most` bytes."""
    lines = [MessageToJson(record, indent=None) + "\n" for record in records]
    size = 0

    def fits(line: str) -> bool:
        nonlocal size
        size += len(line.encode())
        return size <= most

    kept = list(takewhile(fits, reversed(lines)))
    return "".join(reversed(kept))


def unpack(text: str) -> list[control_pb2.PlanRecord]:
    """The records of a text; what is none, as of another version, is left out."""
    found = []
    for line in text.splitlines():
        record = control_pb2.PlanRecord()
        try:
            Parse(line, record, ignore_unknown_fields=True)
        except ParseError as error:
            log.warning("a plan of before cannot be read, and is forgotten: %s", error)
        else:
            found.append(record)
    return found


def read(path: Path) -> list[control_pb2.PlanRecord]:
    """The records in a file; none where there is no such file, or it cannot be read."""
    try:
        return unpack(path.read_text("utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        log.warning("the plans of before cannot be read: %s", error)
        return []


def write(path: Path, records: Iterable[control_pb2.PlanRecord]) -> None:
    """Have the file hold these; what stood there stays until all is written.

    Raises:
        ArgusError: it cannot be written.
    """
    part = path.with_suffix(".part")
    try:
        part.write_text(pack(list(records)), "utf-8")
        part.replace(path)
    except OSError as error:
        raise ArgusError(f"the history of plans cannot be kept: {error}") from error
