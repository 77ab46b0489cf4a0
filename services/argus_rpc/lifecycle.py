"""How a service process lives and ends: the first signal drains, the second exits at once."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from types import FrameType

from argus_core.errors import ArgusError
from argus_rpc import logs, tracing

_PR_SET_PDEATHSIG = 1


def run(name: str, main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run `main` until it returns; the event given is set by SIGTERM or SIGINT.

    Logs and traces are as the environment asks for; `name` is the service's among traces. What
    Argus raised ends the process with status 1 and a line on standard error.
    """
    try:
        logs.setup()
        tracing.setup(name)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_with_signals(main))
    except ArgusError as error:
        raise SystemExit(f"{name}: {error}") from error


def announce(**where: str) -> None:
    """Print one line of JSON on standard output: where the service listens."""
    print(json.dumps(where), flush=True)


def settle() -> None:
    """Have the garbage collector leave alone what was made until now: it stays.

    To look at all of it again and again would stop a router for 50 ms each time, and a service that
    has torch for longer. Not for one that loads and drops large things.
    """
    gc.collect()
    gc.freeze()


def die_with_parent() -> None:
    """Have the kernel end this process when its parent ends (Linux only)."""
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have died before the kernel was asked.
    if os.getppid() != parent:
        sys.exit("the parent process is gone")


async def _with_signals(main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(128 + number)
        loop.call_soon_threadsafe(stop.set)

    for number in (signal.SIGTERM, signal.SIGINT):
        # Not loop.add_signal_handler: the second signal must act even when the loop is stuck.
        signal.signal(number, on_signal)
    await main(stop)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - optional, and not on every platform
    except ImportError:
        return None
    return uvloop.new_event_loop
