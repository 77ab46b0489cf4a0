"""Reads the quality of prompts at each level, as it was measured."""

from __future__ import annotations

import csv
from pathlib import Path

from argus_core.errors import InvalidRequest

_MOST = 10_000
"""Prompts; the planner takes no more."""


def read_qualities(option: str, path: Path, levels: list[str]) -> list[tuple[float, ...]]:
    """A row for each prompt, in the ladder's order, 0 to 1; other columns are let be.

    Raises:
        InvalidRequest: naming the option, and the file's line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            header = rows.fieldnames or []
            if missing := [level for level in levels if level not in header]:
                raise InvalidRequest.one(option, f"{path} has no column {missing[0]!r}")
            found = [_row(option, path, rows.line_num, row, levels) for row in rows]
    except OSError as error:
        problem = f"{path}: {error.strerror or 'cannot be read'}"
        raise InvalidRequest.one(option, problem) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidRequest.one(option, f"{path}: must be CSV in UTF-8") from error
    if not 1 <= len(found) <= _MOST:
        raise InvalidRequest.one(option, f"{path} must have 1 to {_MOST:,} rows, not {len(found)}")
    return found


def _row(
    option: str, path: Path, line: int, row: dict[str, str], levels: list[str]
) -> tuple[float, ...]:
    try:
        values = tuple(float(row[level]) for level in levels)
    except (TypeError, ValueError) as error:
        raise InvalidRequest.one(option, f"{path}, line {line}: not a number") from error
    if not all(0 <= value <= 1 for value in values):
        raise InvalidRequest.one(option, f"{path}, line {line}: must be 0 to 1")
    return values
