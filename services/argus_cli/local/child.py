"""One run of a child process: started, heard, and ended with all its descendants.

A child leads a process group of its own, so that a terminal's Ctrl-C reaches only the
supervisor, and so that whatever the child started ends with it. Its first line of JSON on
standard output says where it listens; all else that it says goes to its log.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

_TETHER = Path(__file__).with_name("tether.py")
_LONGEST_LINE = 64 * 1024
TAIL_LINES = 15


class Run:
    """A started process. `announced` and `ended` may each be awaited by one task."""

    def __init__(
        self, process: asyncio.subprocess.Process, output: asyncio.StreamReader, log: Path
    ) -> None:
        self._process, self._output, self._log = process, output, log

    @classmethod
    async def start(cls, command: Sequence[str], log: Path) -> Run:
        """Start the command, its log appended to.

        Raises:
            OSError: it cannot be started.
        """
        # -I and -S spare the tether the site packages, which the command itself will have.
        tether = (sys.executable, "-I", "-S", str(_TETHER), str(os.getpid()))
        # A pipe of our own: asyncio's would have `wait` last until all who inherited it end.
        reading, writing = os.pipe()
        output = await _reader(reading)
        try:
            with log.open("ab") as out:
                process = await asyncio.create_subprocess_exec(
                    *tether,
                    *command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=writing,
                    stderr=out,
                    start_new_session=True,
                )
        finally:
            os.close(writing)
        return cls(process, output, log)

    @property
    def pid(self) -> int:
        """Of the process, which is its group's id too."""
        return self._process.pid

    async def announced(self) -> dict[str, str] | None:
        """The first line of JSON; None where output ended without any."""
        while line := await self._line():
            with contextlib.suppress(ValueError):
                said = json.loads(line)
                if isinstance(said, dict):
                    return {str(key): str(value) for key, value in said.items()}
            self._keep(line)
        return None

    async def ended(self) -> int:
        """Wait for the end, keeping the log; returns the exit status, negative for a signal."""
        rest = asyncio.create_task(self._keep_rest())
        try:
            return await self._process.wait()
        finally:
            # What the child started may hold its output open still: that ends with it.
            self.kill()
            await rest

    def terminate(self) -> None:
        """Ask the process, and it alone, to finish."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the process and all that is left of its group, at once."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    async def _keep_rest(self) -> None:
        while line := await self._line():
            self._keep(line)

    async def _line(self) -> bytes:
        try:
            return await self._output.readline()
        except ValueError:  # longer than the limit; the reader has dropped it
            return b"(a line too long to keep)\n"

    def _keep(self, line: bytes) -> None:
        with self._log.open("ab") as log:
            log.write(line)


async def _reader(descriptor: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=_LONGEST_LINE)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", buffering=0)
    )
    return reader


def describe_exit(status: int) -> str:
    """An exit status in words, such as `killed by SIGKILL`."""
    if status >= 0:
        return f"exited with status {status}"
    with contextlib.suppress(ValueError):
        return f"killed by {signal.Signals(-status).name}"
    return f"killed by signal {-status}"


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log; empty where there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _LONGEST_LINE))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
