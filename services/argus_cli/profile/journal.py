"""What was measured so far, a line each, so that a profile that was stopped goes on from there.

The first line says what is measured; each further one is a piece that is done. A last line that was
cut off, as a process was ended while writing it, counts for nothing.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from argus_core.errors import InvalidRequest

_VERSION = 1


class Journal:
    """A file beside the profile's; use it with `with`. `done` is what is kept, by key."""

    def __init__(self, path: Path, told: dict[str, Any]) -> None:
        """Open it, or begin one.

        Raises:
            InvalidRequest: the file is of another profile, or is none; or cannot be written.
        """
        self._path = path
        self._head: dict[str, Any] = {"argusProfileJournal": _VERSION, "ask": told}
        self.done: dict[str, Any] = {}
        try:
            self._read()
            self._file = path.open("a", encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise self._wrong(str(error)) from error
        if not path.stat().st_size:
            self._append(self._head)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def keep(self, key: str, found: Any) -> None:
        """Note what was found; it survives the end of this process."""
        assert key not in self.done, f"{key} was measured twice"
        self.done[key] = found
        self._append({"key": key, "found": found})

    def discard(self) -> None:
        """Take the file away: the profile is written."""
        self._path.unlink(missing_ok=True)

    def _read(self) -> None:
        if not self._path.exists():
            return
        whole = self._path.read_bytes()
        sound = whole[: whole.rfind(b"\n") + 1]
        for number, line in enumerate(sound.decode().splitlines()):
            try:
                entry = json.loads(line)
                if number:
                    self.done[entry["key"]] = entry["found"]
                else:
                    self._check(entry)
            except (ValueError, KeyError, TypeError) as error:
                raise self._wrong(f"line {number + 1} is not a journal's") from error
        if len(sound) < len(whole):
            os.truncate(self._path, len(sound))

    def _check(self, head: Any) -> None:
        if head["argusProfileJournal"] != _VERSION:
            raise self._wrong("is another version's")
        differ = [
            field for field, value in self._head["ask"].items() if head["ask"][field] != value
        ]
        if differ:
            raise self._wrong(
                f"is of a profile with other {', '.join(differ)}; delete it, or take another --out"
            )

    def _append(self, entry: Any) -> None:
        self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        self._file.flush()

    def _wrong(self, problem: str) -> InvalidRequest:
        return InvalidRequest.one("--out", f"{self._path} {problem}")
