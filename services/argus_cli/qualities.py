"""Reads the quality of prompts at each level, as it was measured, and what goes with it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from argus_core.errors import InvalidRequest

_MOST = 10_000
"""Prompts; the planner takes no more."""
SIMILARITY = "similarity"
"""Column of a prompt's cosine to its nearest cached prompt."""
CONFIDENCE = "confidence:"
"""Begins the column, one a level, of what a discriminator says of its images."""

_Row = dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What is known of prompts, a row each."""

    qualities: tuple[tuple[float, ...], ...]
    """By level in the ladder's order, 0 to 1."""
    similarity: tuple[float, ...] | None = None
    """-1 to 1; None where the file has none."""
    confidence: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """By level that has a discriminator, 0 to 1."""


def read_qualities(option: str, path: Path, levels: list[str]) -> Measured:
    """Read a CSV file: a column a level, a row a prompt.

    It may have columns `similarity` and `confidence:LEVEL` besides; all others are let be.

    Raises:
        InvalidRequest: naming the option, and the file's line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _Reader(option, path, csv.DictReader(file)).measured(levels)
    except OSError as error:
        problem = f"{path}: {error.strerror or 'cannot be read'}"
        raise InvalidRequest.one(option, problem) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidRequest.one(option, f"{path}: must be CSV in UTF-8") from error


class _Reader:
    """One file; errors name its line."""

    def __init__(self, option: str, path: Path, rows: csv.DictReader[str]) -> None:
        self._option, self._path, self._rows = option, path, rows

    def measured(self, levels: list[str]) -> Measured:
        """All that the file says."""
        header = list(self._rows.fieldnames or [])
        if missing := [level for level in levels if level not in header]:
            raise self._wrong(f" has no column {missing[0]!r}")
        judged = [level for level in levels if CONFIDENCE + level in header]
        columns: dict[str, float] = dict.fromkeys([*levels, *(CONFIDENCE + x for x in judged)], 0)
        if SIMILARITY in header:
            columns[SIMILARITY] = -1
        found = list(self._numbers(columns))
        if not 1 <= len(found) <= _MOST:
            raise self._wrong(f" must have 1 to {_MOST:,} rows, not {len(found)}")
        by_column = dict(zip(columns, zip(*found, strict=True), strict=True))
        return Measured(
            qualities=tuple(zip(*(by_column[level] for level in levels), strict=True)),
            similarity=by_column.get(SIMILARITY),
            confidence={level: by_column[CONFIDENCE + level] for level in judged},
        )

    def _numbers(self, columns: Mapping[str, float]) -> Iterable[tuple[float, ...]]:
        """Each row's numbers; each is at least its column's least, and at most 1."""
        for row in self._rows:
            yield tuple(self._number(row, name, least) for name, least in columns.items())

    def _number(self, row: _Row, column: str, least: float) -> float:
        where = f", line {self._rows.line_num}: {column}"
        try:
            value = float(row[column])
        except (TypeError, ValueError) as error:
            raise self._wrong(f"{where} is not a number") from error
        if not least <= value <= 1:
            raise self._wrong(f"{where} must be {least:g} to 1, not {value:g}")
        return value

    def _wrong(self, problem: str) -> InvalidRequest:
        return InvalidRequest.one(self._option, f"{self._path}{problem}")
