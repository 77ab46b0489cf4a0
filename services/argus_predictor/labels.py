"""Labels on disk: what served images turned out to be worth, the latest so many.

SQLite in the state folder: a process killed amidst leaves what was committed. Blocking; called off
the event loop, by one thread at a time.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

log = logging.getLogger(__name__)

KEPT = 50_000
"""Labels; the oldest go first."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS labels (
    id INTEGER PRIMARY KEY AUTOINCREMENT, prompt TEXT NOT NULL, level TEXT NOT NULL,
    quality REAL NOT NULL, predicted REAL NOT NULL, similarity REAL, metric TEXT NOT NULL,
    version TEXT NOT NULL)
"""


@dataclass(frozen=True, kw_only=True)
class Label:
    """One image that was judged; fields as in argus.v1.Label."""

    prompt: str
    level: str
    quality: float
    predicted: float
    similarity: float | None
    """None where the image began from nothing."""
    metric: str
    version: str


class Labels:
    """See the module."""

    def __init__(self, file: Path, *, kept: int = KEPT) -> None:
        """Open the file; one that is no database is set aside, and begun anew."""
        self._kept = kept
        try:
            self._database = _open(file)
        except sqlite3.DatabaseError:
            aside = file.with_suffix(".spoilt")
            log.exception("%s cannot be read: it is kept as %s and begun anew", file, aside)
            file.replace(aside)
            self._database = _open(file)

    def add(self, labels: Sequence[Label]) -> None:
        """Keep labels, and forget the oldest beyond what is kept."""
        rows = [tuple(asdict(label).values()) for label in labels]
        with self._database as database:
            database.executemany(
                "INSERT INTO labels (prompt, level, quality, predicted, similarity, metric,"
                " version) VALUES (?, ?, ?, ?, ?, ?, ?)",
                rows,
            )
            database.execute(
                "DELETE FROM labels WHERE id <= (SELECT max(id) FROM labels) - ?", (self._kept,)
            )

    def latest(self, version: str, count: int) -> list[Label]:
        """The latest labels of a head's predictions, oldest first."""
        found = self._select("WHERE version = ? ORDER BY id DESC LIMIT ?", (version, count))
        return list(found)[::-1]

    def count_after(self, number: int) -> tuple[int, int]:
        """How many came after the label of this number, and the last one's number."""
        (count, last), = self._database.execute(
            "SELECT count(*), max(id) FROM labels WHERE id > ?", (number,)
        )  # fmt: skip
        return count, last or number

    def write(self, file: Path) -> int:
        """Write all as lines of JSON, for training; returns how many."""
        count = 0
        with file.open("w", encoding="utf-8") as lines:
            for label in self._select("ORDER BY id", ()):
                lines.write(json.dumps(asdict(label)) + "\n")
                count += 1
        return count

    def _select(self, rest: str, values: tuple[object, ...]) -> Iterator[Label]:
        columns = "prompt, level, quality, predicted, similarity, metric, version"
        query = f"SELECT {columns} FROM labels {rest}"  # noqa: S608 - of our own words
        for row in self._database.execute(query, values):
            names = columns.split(", ")
            yield Label(**dict(zip(names, row, strict=True)))


def _open(file: Path) -> sqlite3.Connection:
    database = sqlite3.connect(file, check_same_thread=False, timeout=5)
    try:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute(_SCHEMA)
        database.commit()
    except sqlite3.DatabaseError:
        database.close()
        raise
    return database
