"""What became of a request, as its client saw it; a line of JSON each.

Times are seconds since the load began, on one clock.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from argus_core.errors import InvalidRequest

OK = "OK"
DROPPED = "DROPPED"
"""Code of a request that was never sent: too many were under way."""
UNANSWERED = "UNANSWERED"
"""Code of a request whose answer was not waited for: the load was broken off."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One request."""

    number: int
    """Counting from 0, in the order of `intended`."""
    prompt: int
    """Its line among the prompts, from 0."""
    tenant: str
    intended: float
    """When it should have been sent; latency counts from here."""
    sent: float | None
    """When it was; None where it never was."""
    first: float | None
    """When the first event came; None for none."""
    last: float | None
    """When it ended; None where that was not waited for."""
    deadline: float
    """Seconds that it had."""
    code: str
    """`OK`, a canonical code, `DROPPED` or `UNANSWERED`."""
    answers: int
    """Final answers that came: pictures and errors."""
    message: str = ""
    """Of the error."""
    level: str = ""
    worker: str = ""
    request_id: str = ""
    quality: float | None = None
    """Predicted, at the level that it was drawn at."""
    attempts: int = 0
    """Times that it was begun."""

    @property
    def latency(self) -> float | None:
        """Seconds from when it should have been sent; None where nothing came."""
        return None if self.last is None else self.last - self.intended

    @property
    def in_time(self) -> bool:
        """Whether its picture came within the deadline."""
        return self.code == OK and self.latency is not None and self.latency <= self.deadline


_FIELDS = frozenset(field.name for field in fields(Record))


def write(records: Iterable[Record], path: Path) -> None:
    """Write a line each."""
    with path.open("w", encoding="utf-8") as file:
        for record in records:
            file.write(json.dumps(asdict(record)) + "\n")


def read(path: Path) -> list[Record]:
    """What `write` wrote.

    Raises:
        InvalidRequest: naming the file and the line.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest.one(str(path), f"cannot be read: {error}") from error
    return [_record(line, f"{path}:{n}") for n, line in enumerate(lines, 1) if line.strip()]


def _record(line: str, where: str) -> Record:
    try:
        found = json.loads(line)
        return Record(**{name: value for name, value in found.items() if name in _FIELDS})
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidRequest.one(where, f"is no record of a request: {error}") from error
