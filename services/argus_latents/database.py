"""The catalogue's SQLite file: opened, found corrupt, set aside, begun anew.

Model: one connection, used by one thread. Any number of processes share the file; whoever finds
it corrupt moves it aside under a lock, and the others notice by its inode that it is another.
What is lost with it is where entries were: speed, and nothing else.
"""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from argus_latents.store import StoreFailed, StoreFull

log = logging.getLogger(__name__)
T = TypeVar("T")

NAME = "catalogue.sqlite"
VERSION = 1
_SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE generation (name TEXT NOT NULL);
CREATE TABLE entries (
    key TEXT PRIMARY KEY, scope TEXT NOT NULL, compatibility TEXT NOT NULL, steps TEXT NOT NULL,
    embedding BLOB NOT NULL, encoder TEXT NOT NULL, bytes INTEGER NOT NULL,
    seconds_per_step REAL NOT NULL, created REAL NOT NULL, expires REAL NOT NULL
);
CREATE INDEX entries_by_expiry ON entries (expires);
CREATE TABLE journal (
    number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, key TEXT NOT NULL, step INTEGER,
    at REAL
);
CREATE TABLE leads (name TEXT PRIMARY KEY, owner TEXT NOT NULL, until REAL NOT NULL);
CREATE TABLE totals (entries INTEGER NOT NULL, bytes INTEGER NOT NULL);
INSERT INTO totals VALUES (0, 0);
CREATE TRIGGER entry_added AFTER INSERT ON entries BEGIN
    UPDATE totals SET entries = entries + 1, bytes = bytes + NEW.bytes;
    INSERT INTO journal (kind, key) VALUES ('added', NEW.key);
END;
CREATE TRIGGER entry_gone AFTER DELETE ON entries BEGIN
    UPDATE totals SET entries = entries - 1, bytes = bytes - OLD.bytes;
    INSERT INTO journal (kind, key) VALUES ('gone', OLD.key);
END;
"""
_RUINED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class Database:
    """The file and its one connection; every method blocks."""

    def __init__(self, folder: Path, *, patience: float) -> None:
        """Open nothing yet; `patience` is for others' transactions, in seconds."""
        self._path, self._patience = folder / NAME, patience
        self._connection: sqlite3.Connection | None = None
        self._inode = 0

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """As `write`, for work that changes nothing: it waits for nobody."""
        return self._run(work, "BEGIN")

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do work in one transaction, if need be on a catalogue begun anew.

        Raises:
            StoreFull, StoreFailed: nothing was done.
        """
        return self._run(work, "BEGIN IMMEDIATE")

    def close(self) -> None:
        """Let go of the file; the next work opens it again."""
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _run(self, work: Callable[[sqlite3.Connection], T], begin: str) -> T:
        try:
            try:
                return self._attempt(work, begin)
            except sqlite3.DatabaseError as error:
                if not _is_ruined(error):
                    raise
                self._set_aside(error)
                return self._attempt(work, begin)
        except (sqlite3.Error, OSError) as error:
            self.close()
            full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
            failure = StoreFull if full else StoreFailed
            raise failure(f"the catalogue does not do its work: {error}") from error

    def _attempt(self, work: Callable[[sqlite3.Connection], T], begin: str) -> T:
        connection = self._open()
        connection.execute(begin)
        try:
            outcome = work(connection)
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
        return outcome

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None and _inode(self._path) == self._inode:
            return self._connection
        self.close()
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked():
            connection = sqlite3.connect(
                self._path, timeout=self._patience, isolation_level=None, check_same_thread=False
            )
            try:
                _prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection, self._inode = connection, _inode(self._path)
        return connection

    def _set_aside(self, error: Exception) -> None:
        log.warning("the catalogue of latents is ruined, and begun anew: %s", error)
        ruined = self._inode if self._connection is not None else _inode(self._path)
        self.close()
        with self._locked():
            if _inode(self._path) != ruined:
                return  # Another process was quicker.
            for suffix in ("-wal", "-shm", ""):
                part = self._path.with_name(NAME + suffix)
                with suppress(FileNotFoundError):
                    part.replace(self._path.with_name(f"{NAME}.ruined{suffix}"))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone among processes, while the file itself comes and goes."""
        with self._path.with_name("lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    # A power cut may cost the last entries, never the file.
    connection.execute("PRAGMA synchronous = NORMAL")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == VERSION:
        return
    if version or connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise _Foreign(f"is of version {version}")
    connection.executescript(_SCHEMA)
    connection.execute("INSERT INTO generation VALUES (?)", (secrets.token_hex(8),))
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


class _Foreign(sqlite3.DatabaseError):
    """A catalogue of another version, or no catalogue at all."""


def _is_ruined(error: sqlite3.DatabaseError) -> bool:
    if isinstance(error, _Foreign) or "no such table" in str(error):
        return True
    # Extended codes keep the plain one in their lowest byte.
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _RUINED


def _inode(path: Path) -> int:
    try:
        return os.stat(path).st_ino  # noqa: PTH116 - on every call: pathlib's is slower
    except FileNotFoundError:
        return 0
