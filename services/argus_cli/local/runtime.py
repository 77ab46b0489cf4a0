"""The state file by which commands find a cluster that runs on this machine.

It names the process of `argus up` by id and start time, as ids are used again: a file whose
process is gone is stale, and is treated as if it were not there.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from argus_core.errors import ArgusError


class AlreadyRunning(ArgusError):
    """A cluster of this name runs on this machine; use it, stop it, or take another name."""

    code = "ALREADY_EXISTS"


@dataclass(frozen=True, kw_only=True)
class Running:
    """A cluster that runs on this machine."""

    name: str
    pid: int
    started: float
    """When the process started, seconds since the epoch."""
    grpc: str
    """host:port of the router."""
    http: str
    """URL of the router's HTTP front."""
    workers: dict[str, str]
    """host:port of each worker, by name."""
    console: str = ""
    """URL of the page; empty where there is none."""
    internal_tls: str = ""
    """Folder of the certificate with which workers are met; empty for plainly."""
    internal_name: str = ""
    """The name that theirs has."""


def folder() -> Path:
    """Where state files live: the user's runtime folder, or one of their own in the temp one.

    Raises:
        ArgusError: the folder is another user's, who could send our commands anywhere.
    """
    base = os.environ.get("XDG_RUNTIME_DIR")
    path = Path(base) / "argus" if base else Path(tempfile.gettempdir()) / f"argus-{_user()}"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.is_symlink() or path.stat().st_uid != os.getuid():
        raise ArgusError(f"{path} is not yours; set XDG_RUNTIME_DIR to a folder that is")
    return path


def refuse_twin(name: str) -> None:
    """Check that no other live process keeps a cluster of this name.

    Raises:
        AlreadyRunning: one does.
    """
    running = _read(_path(name))
    if running is not None and running.pid != os.getpid() and _lives(running):
        raise AlreadyRunning(
            f"a cluster called {name} runs already (process {running.pid}); "
            "stop it, or give the document another metadata.name"
        )


def publish(running: Running) -> None:
    """Make a cluster findable; replaces what stood under its name."""
    path = _path(running.name)
    part = path.with_suffix(f".{running.pid}")
    part.write_text(json.dumps(asdict(running)))
    part.replace(path)


def withdraw(name: str, pid: int) -> None:
    """Take the file away, where it is still this process's."""
    running = _read(_path(name))
    if running is not None and running.pid == pid:
        _path(name).unlink(missing_ok=True)


def find() -> Running | None:
    """The cluster that runs on this machine; of several, the first by name."""
    for path in sorted(folder().glob("*.json")):
        running = _read(path)
        if running is not None and _lives(running):
            return running
    return None


def this_process() -> tuple[int, float]:
    """Id and start time of the calling process."""
    return os.getpid(), psutil.Process().create_time()


def _path(name: str) -> Path:
    return folder() / f"{name}.json"


def _read(path: Path) -> Running | None:
    with contextlib.suppress(OSError, ValueError, TypeError):
        return Running(**json.loads(path.read_text()))
    return None


def _lives(running: Running) -> bool:
    try:
        started: float = psutil.Process(running.pid).create_time()
    except psutil.NoSuchProcess:
        return False
    return abs(started - running.started) < 1


def _user() -> str:
    # A container's user may have no name.
    with contextlib.suppress(OSError, KeyError):
        return getpass.getuser()
    return str(os.getuid())
