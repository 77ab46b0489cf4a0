"""Latents as files of a directory: `ab/ab12...ef.20.latents` for a key and a step.

A file appears whole, by renaming; it is not flushed to the disk, as one that a power cut spoilt
is a miss by its checksum, and costs a drawing's saving, not a picture.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from argus_latents.store import StoreFailed, StoreFull

ORPHANED = 600.0
"""Seconds after which a file that the catalogue does not know is nobody's; far beyond any put."""
_LARGEST = 1 << 28
"""Bytes of a file beyond which it is not even read."""
_KEY = re.compile(r"[0-9a-f]{32}")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def is_key(text: str) -> bool:
    """Whether it is 32 hex digits; nothing else may become part of a path."""
    return _KEY.fullmatch(text) is not None


class Files:
    """The files of one directory; every method blocks."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, key: str, step: int) -> bytes | None:
        """A file's bytes; None where there is none.

        Raises:
            StoreFailed: it cannot be read.
        """
        try:
            with self._path(key, step).open("rb") as file:
                if os.fstat(file.fileno()).st_size > _LARGEST:
                    return b""
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StoreFailed(f"cannot read a latent: {error.strerror}") from error

    def write(self, key: str, frames: Mapping[int, bytes]) -> None:
        """Write an entry's files, all or none.

        Raises:
            StoreFull, StoreFailed: none is left.
        """
        try:
            for step, frame in frames.items():
                self._write(self._path(key, step), frame)
        except OSError as error:
            self.remove({key: frames})
            failure = StoreFull if error.errno in _FULL else StoreFailed
            raise failure(f"cannot write a latent: {error.strerror}") from error

    def has(self, key: str) -> bool:
        """Whether any file of an entry is there."""
        return any((self._folder / key[:2]).glob(f"{key}.*"))

    def remove(self, entries: Mapping[str, Iterable[int]]) -> None:
        """Remove entries' files, by their steps; what cannot be removed is swept up later."""
        for key, steps in entries.items():
            for step in steps:
                _unlink(self._path(key, step))

    def old(self, *, now: float) -> Sequence[Path]:
        """Files older than `ORPHANED`: no put writes them any more."""
        return [path for path in self._folder.glob("??/*") if _age(path, now) > ORPHANED]

    def _path(self, key: str, step: int) -> Path:
        return self._folder / key[:2] / f"{key}.{step}.latents"

    def _write(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        except OSError:
            _unlink(temporary)
            raise


def remove_orphans(paths: Iterable[Path], known: Collection[str]) -> int:
    """Remove files of no known key; returns how many."""
    orphans = [path for path in paths if path.name.partition(".")[0] not in known]
    for path in orphans:
        _unlink(path)
    return len(orphans)


def _age(path: Path, now: float) -> float:
    try:
        return now - path.stat().st_mtime
    except OSError:
        return 0.0


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return
