"""Trained heads in the state folder: the one in use, those before it, and which that was.

    heads/VERSION/    a head as `heads.save` wrote it
    heads/current     the version in use, replaced as a whole

Blocking; called off the event loop, by one thread at a time.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from pathlib import Path

from argus_core.errors import ArgusError, InvalidRequest, NotFound
from argus_predictor import heads
from argus_predictor.heads import Head
from argus_shapes import head_path

log = logging.getLogger(__name__)

KEPT = 5
"""Heads besides the one in use; the longest unused go first."""
_BUILTIN = "builtin:"


class Versions:
    """See the module."""

    def __init__(self, folder: Path | None, *, given: str | None) -> None:
        """Look at a folder, made where there is none.

        Args:
            folder: of this predictor's heads alone; None for one that goes with the process.
            given: the document's head: a directory, or `builtin:shapes`; None for none.
        """
        # Held for as long as this is.
        self._scratch = tempfile.TemporaryDirectory(prefix="argus-heads-") if not folder else None
        self._folder = folder or Path(self._scratch.name if self._scratch else "")
        self._given = given
        self._folder.mkdir(parents=True, exist_ok=True)

    def first(self) -> Head | None:
        """The head to begin with: the one in use when it ended, or else the document's.

        Raises:
            InvalidRequest: the document's cannot be loaded.
        """
        try:
            if (version := self._current()) is not None:
                return heads.load(self._folder / version)
        except ArgusError as error:
            log.warning("the head in use before cannot be loaded, taking the document's: %s", error)
        if self._given is None:
            return None
        try:
            return self.copy(_resolve(self._given))
        except ArgusError as error:
            raise InvalidRequest.one("predictor.head", str(error)) from error

    def load(self, version: str) -> Head:
        """A head that is kept; the newest where `version` is empty. `use` puts it to use.

        Raises:
            NotFound: there is none of this version.
            InvalidRequest: it is corrupt.
        """
        kept = self.kept()
        if not kept:
            raise NotFound("no head was trained or given; see `argus train-predictor`")
        if version and version not in kept:
            raise NotFound(f"there is no head {version!r}; there are {', '.join(kept)}")
        return heads.load(self._folder / (version or kept[0]))

    def copy(self, source: Path) -> Head:
        """Copy a head into the folder.

        Raises:
            InvalidRequest: it is none.
        """
        head = heads.load(source)
        if not (self._folder / head.version).exists():
            with tempfile.TemporaryDirectory(dir=self._folder, prefix=".new-") as scratch:
                copied = Path(scratch) / "head"
                shutil.copytree(source, copied)
                copied.replace(self._folder / head.version)
        return head

    def use(self, head: Head) -> None:
        """Note that a head is in use, and let go of the longest unused."""
        fresh = self._folder / ".current.new"
        fresh.write_text(head.version)
        fresh.replace(self._folder / "current")
        (self._folder / head.version).touch()
        for version in self.kept()[KEPT + 1 :]:
            shutil.rmtree(self._folder / version, ignore_errors=True)

    def folder_of(self, version: str) -> Path:
        """Where a head is."""
        return self._folder / version

    def kept(self) -> list[str]:
        """Versions, latest used first."""
        found = [p for p in self._folder.iterdir() if p.is_dir() and not p.name.startswith(".")]
        return [p.name for p in sorted(found, key=lambda p: p.stat().st_mtime_ns, reverse=True)]

    def _current(self) -> str | None:
        try:
            return (self._folder / "current").read_text().strip() or None
        except FileNotFoundError:
            return None


def _resolve(given: str) -> Path:
    if not given.startswith(_BUILTIN):
        return Path(given).expanduser()
    return head_path(given.removeprefix(_BUILTIN))
