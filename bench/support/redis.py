"""A real Redis on loopback that can be stopped, begun anew, and slowed down."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from argus_cli.local.ports import free_port
from argus_rpc.meanwhile import call_off

PROGRAM = "redis-server"
MISSING = f"there is no {PROGRAM} (Debian: apt-get install redis-server)"
_START = 30.0
"""Seconds for it to listen."""


def is_installed() -> bool:
    """Whether there is a Redis to start."""
    return shutil.which(PROGRAM) is not None


class RedisServer:
    """A Redis that keeps nothing on disk, at the same port each time it is started."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder, self._options = folder, options
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it, and wait until it listens; it is empty."""
        self._spawn()
        async with asyncio.timeout(_START):
            while not await self._listens():  # noqa: ASYNC110 - another process has no event
                await asyncio.sleep(0.02)

    def stop(self) -> None:
        """Kill it, and what it holds is gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _spawn(self) -> None:
        self.process = subprocess.Popen(  # noqa: S603
            [PROGRAM, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
             "--appendonly", "no", "--dir", str(self._folder), *self._options],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip

    async def _listens(self) -> bool:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(b"PING\r\n")
            answer = await reader.readline()
            writer.close()
            return answer == b"+PONG\r\n"
        return False


@asynccontextmanager
async def redis_server(folder: Path, *options: str) -> AsyncIterator[RedisServer]:
    """A Redis that is started, and ended with the block."""
    server = RedisServer(folder, *options)
    try:
        await server.start()
        yield server
    finally:
        server.stop()


class SlowProxy:
    """Stands between a client and a loopback port, and holds back what is answered."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.delay = 0.0
        """Seconds for which every piece of an answer is held back."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/0"
        self._tasks: set[asyncio.Task[None]] = set()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await call_off(self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            back, forth = await asyncio.open_connection("127.0.0.1", self._port)
            await asyncio.gather(self._pipe(reader, forth), self._pipe(back, writer, slow=True))
        except OSError:
            return
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _pipe(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, slow: bool = False
    ) -> None:
        while data := await source.read(2**16):
            if slow:
                await asyncio.sleep(self.delay)
            sink.write(data)
            await sink.drain()
        sink.close()
