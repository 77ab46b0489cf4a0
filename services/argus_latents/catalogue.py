"""The directory's catalogue: which entries there are, and the journal of what became of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import astuple, fields, replace
from typing import Any

from argus_latents.database import Database
from argus_latents.follow import Numbered, Page, Place
from argus_latents.store import Added, Change, Entry, Gone, StoreFull, Usage, Used

JOURNAL = 65_536
"""Changes kept; a follower further behind than that begins anew."""
AT_ONCE = 256
"""Entries or changes told at a time."""
_EXPIRED_AT_ONCE = 64

Steps = dict[str, tuple[int, ...]]
"""Of entries, by key."""
_COLUMNS = ", ".join(field.name for field in fields(Entry))


class Catalogue:
    """All queries; each is one transaction of its own, and blocks. Raises as `Database` does."""

    def __init__(self, database: Database, *, max_bytes: int, journal: int = JOURNAL) -> None:
        self._database, self._max_bytes, self._journal = database, max_bytes, journal

    def make_room(self, needed: int, *, now: float) -> Steps:
        """Forget some of what has expired, and return it.

        Raises:
            StoreFull: `needed` bytes do not fit even so, or will fit only once more is forgotten.
        """

        def work(db: sqlite3.Connection) -> tuple[Steps, bool]:
            rows = db.execute(
                "SELECT key, steps FROM entries WHERE expires <= ? ORDER BY expires LIMIT ?",
                (now, _EXPIRED_AT_ONCE),
            ).fetchall()
            db.executemany("DELETE FROM entries WHERE key = ?", [(key,) for key, _ in rows])
            self._prune(db)
            return {key: _steps(text) for key, text in rows}, self._fits(db, needed)

        gone, fits = self._database.write(work)
        if not fits and not gone:
            raise self._full()
        return gone

    def add(self, entry: Entry) -> None:
        """Have an entry be found.

        Raises:
            StoreFull: its bytes do not fit.
        """

        def work(db: sqlite3.Connection) -> bool:
            if not self._fits(db, entry.bytes):
                return False
            row = astuple(replace(entry, steps=()))
            values = [",".join(map(str, entry.steps)) if value == () else value for value in row]
            marks = ", ".join("?" * len(values))
            db.execute(f"INSERT INTO entries ({_COLUMNS}) VALUES ({marks})", values)  # noqa: S608
            self._prune(db)
            return True

        if not self._database.write(work):
            raise self._full()

    def used(self, key: str, step: int, *, at: float) -> None:
        """Note that an entry was of use."""

        def work(db: sqlite3.Connection) -> None:
            values = ("used", key, step, at)
            db.execute("INSERT INTO journal (kind, key, step, at) VALUES (?, ?, ?, ?)", values)
            self._prune(db)

        self._database.write(work)

    def remove(self, keys: Collection[str]) -> Steps:
        """Forget entries; returns those that were there."""

        def work(db: sqlite3.Connection) -> Steps:
            gone: Steps = {}
            for key in keys:
                query = "DELETE FROM entries WHERE key = ? RETURNING steps"
                if row := db.execute(query, (key,)).fetchone():
                    gone[key] = _steps(row[0])
            self._prune(db)
            return gone

        return self._database.write(work)

    def keys(self) -> set[str]:
        """Of all entries."""
        return self._database.read(
            lambda db: {key for (key,) in db.execute("SELECT key FROM entries")}
        )

    def usage(self) -> Usage:
        """What is catalogued."""
        row = self._database.read(lambda db: db.execute("SELECT * FROM totals").fetchone())
        return Usage(entries=row[0], bytes=row[1], max_bytes=self._max_bytes)

    def lead(self, name: str, owner: str, *, now: float, until: float) -> bool:
        """Whether `owner` is `name` until then."""
        query = """
            INSERT INTO leads VALUES (?, ?, ?) ON CONFLICT (name) DO
            UPDATE SET owner = excluded.owner, until = excluded.until
            WHERE owner = excluded.owner OR until <= ?
        """
        values = (name, owner, until, now)
        return self._database.write(lambda db: db.execute(query, values).rowcount > 0)

    def place(self) -> Place:
        """Where the journal ends."""

        def work(db: sqlite3.Connection) -> Place:
            generation = db.execute("SELECT name FROM generation").fetchone()[0]
            query = "SELECT seq FROM sqlite_sequence WHERE name = 'journal'"
            row = db.execute(query).fetchone()
            return Place(generation=generation, number=row[0] if row else 0)

        return self._database.read(work)

    def page(self, cursor: int) -> Page[int]:
        """Some of what there is, from a cursor on; 0 begins."""
        query = f"SELECT rowid, {_COLUMNS} FROM entries WHERE rowid > ? ORDER BY rowid LIMIT ?"  # noqa: S608
        rows = self._database.read(lambda db: db.execute(query, (cursor, AT_ONCE)).fetchall())
        following = rows[-1][0] if len(rows) == AT_ONCE else None
        return Page(entries=[_entry(row[1:]) for row in rows], cursor=following)

    def since(self, place: Place) -> Sequence[Numbered] | None:
        """Some of what changed since; None where that is not known any more."""

        def work(db: sqlite3.Connection) -> Sequence[Numbered] | None:
            if db.execute("SELECT name FROM generation").fetchone()[0] != place.generation:
                return None
            query = "SELECT number, kind, key, step, at FROM journal WHERE number > ? LIMIT ?"
            rows = db.execute(query, (place.number, AT_ONCE)).fetchall()
            if rows and rows[0][0] != place.number + 1:
                return None
            return [Numbered(number=row[0], change=_change(db, *row[1:])) for row in rows]

        return self._database.read(work)

    def _fits(self, db: sqlite3.Connection, needed: int) -> bool:
        held: int = db.execute("SELECT bytes FROM totals").fetchone()[0]
        return held + needed <= self._max_bytes

    def _full(self) -> StoreFull:
        return StoreFull(f"the store holds as much as its {self._max_bytes} bytes allow")

    def _prune(self, db: sqlite3.Connection) -> None:
        query = "DELETE FROM journal WHERE number <= (SELECT max(number) FROM journal) - ?"
        db.execute(query, (self._journal,))


def _change(
    db: sqlite3.Connection, kind: str, key: str, step: int | None, at: float | None
) -> Change | None:
    if kind == "gone":
        return Gone(key=key)
    if kind == "used":
        return Used(key=key, step=step or 0, at=at or 0.0)
    query = f"SELECT {_COLUMNS} FROM entries WHERE key = ?"  # noqa: S608
    row = db.execute(query, (key,)).fetchone()
    # Gone since: the journal tells of that too.
    return Added(entry=_entry(row)) if row else None


def _entry(row: Sequence[Any]) -> Entry:
    values = dict(zip((field.name for field in fields(Entry)), row, strict=True))
    return Entry(**{**values, "steps": _steps(values["steps"])})


def _steps(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(",")))
