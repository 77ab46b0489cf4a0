"""Prometheus and promtool for tests; a test that needs one is skipped aloud where there is none."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from support import prometheus
from support.prometheus import Prometheus

_MEMORY = "/dev/shm"
_PATIENCE = 180.0


def tool(program: str) -> str:
    """Path of `prometheus` or `promtool`; skips the test where there is none."""
    found = prometheus.find(program)
    if found is None:
        pytest.skip(prometheus.missing(program))
    return found


def promtool(*arguments: str | Path, folder: Path | None = None) -> str:
    """What promtool wrote; fails the test where it fails."""
    command = [tool("promtool"), *map(str, arguments)]
    # Each case has a database of its own, which waits for the disk time and again.
    memory = {"TMPDIR": _MEMORY} if os.access(_MEMORY, os.W_OK) else {}
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        cwd=folder,
        env={**os.environ, **memory},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@asynccontextmanager
async def prometheus_server(folder: Path, **options: Any) -> AsyncIterator[Prometheus]:
    """A Prometheus that is ended with the test; `options` are `support.prometheus.prometheus`'s."""
    tool("prometheus")
    async with prometheus.prometheus(folder, **options) as server:
        yield server
