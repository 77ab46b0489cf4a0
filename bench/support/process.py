"""Services as processes of their own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
_ROOMS = ("models", "services", "operator", "bench")
_QUIET = {"OMP_NUM_THREADS": "1", "GRPC_VERBOSITY": "ERROR"}
SLOW = 150.0
"""Seconds that a worker may take to import torch on a busy machine."""


@asynccontextmanager
async def process(
    *arguments: object, stderr: Any = None, **environment: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, str]]]:
    """A service's process, and what it announced; ended by SIGTERM."""
    child = await _begun(arguments, stderr=stderr, **environment)
    try:
        assert child.stdout is not None
        line = await asyncio.wait_for(child.stdout.readline(), SLOW)
        assert line, f"{arguments[0]} said nothing"
        yield child, json.loads(line)
    finally:
        if child.returncode is None:
            child.send_signal(signal.SIGTERM)
        await asyncio.wait_for(child.wait(), SLOW)


async def ended(*arguments: object) -> dict[str, Any]:
    """What a module's process printed, once it has ended: one line of JSON.

    Raises:
        AssertionError: it failed.
    """
    child = await _begun(arguments)
    try:
        told, _ = await child.communicate()
        assert child.returncode == 0, f"{arguments[0]} failed"
        found: dict[str, Any] = json.loads(told)
        return found
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def _begun(
    arguments: Sequence[object], *, stderr: Any = None, **environment: str
) -> asyncio.subprocess.Process:
    paths = os.pathsep.join(str(_ROOT / room) for room in _ROOMS)
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", *map(str, arguments), "--die-with-parent"),
        stdout=asyncio.subprocess.PIPE,
        stderr=stderr,
        env={**os.environ, **_QUIET, "PYTHONPATH": paths, **environment},
    )
