"""Something read from files, and read anew when they change.

The files are looked at when the thing is asked for, at most once a second: nothing runs in
between, and a file that is replaced (also by a symbolic link, as Kubernetes mounts its secrets)
is noticed by its inode, size or time. Files that make no sense leave what was read before in
force, and that is logged once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from argus_core.errors import InvalidRequest

log = logging.getLogger(__name__)

T = TypeVar("T")
Stamp = tuple[int, int, int] | None
EVERY = 1.0
"""Seconds between two looks at the files, at least."""


class Fresh(Generic[T]):
    """What `read` makes of files, as they are now."""

    def __init__(
        self,
        paths: Sequence[Path],
        read: Callable[[], T],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Reads them for the first time.

        Args:
            paths: the files to look at.
            read: raises OSError or ValueError where they make no sense, or InvalidRequest.
            clock: monotonic seconds.

        Raises:
            InvalidRequest: naming the file that cannot be read.
        """
        self._paths, self._read, self._clock = tuple(paths), read, clock
        self._stamps, self._looked = self._look(), clock()
        try:
            self._value = read()
        except (OSError, ValueError, InvalidRequest) as error:
            raise InvalidRequest.one(self._named, str(error)) from error

    @property
    def _named(self) -> str:
        return ", ".join(map(str, self._paths))

    def get(self) -> T:
        """What the files say; what they said before, where they make no sense now."""
        if (now := self._clock()) - self._looked >= EVERY:
            self._looked = now
            if (seen := self._look()) != self._stamps:
                self._stamps = seen
                self._renew()
        return self._value

    def _renew(self) -> None:
        try:
            self._value = self._read()
        except (OSError, ValueError, InvalidRequest) as error:
            log.warning("%s: %s; what was read before stays in force", self._named, error)
        else:
            log.info("%s: read anew", self._named)

    def _look(self) -> tuple[Stamp, ...]:
        return tuple(map(stamp, self._paths))


def stamp(path: Path) -> Stamp:
    """Of a file: another once it has changed; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
