"""Runs the simulator beside the console: one question at a time, each within its time.

Model: a question goes to a process of its own, which can be ended; the loop that serves pages
never computes. `python -m argus_console.foresee` is that process: a question on standard input, the
answer or what is wrong on standard output.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import suppress
from typing import Any

from argus_core.errors import ArgusError, DeadlineMissed, Exhausted, InvalidRequest, Unavailable
from argus_rpc import lifecycle

PATIENCE = 30.0
"""Seconds for an answer, imports included."""


class Foresight:
    """Asks the simulator."""

    def __init__(self, *, patience: float = PATIENCE) -> None:
        """`patience` is in seconds."""
        self._patience, self._busy = patience, False

    async def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """What would happen.

        Raises:
            Exhausted: another question is being answered.
            DeadlineMissed: it takes too long.
            InvalidRequest: the simulator refuses it.
            Unavailable: it broke.
        """
        if self._busy:
            raise Exhausted("the simulator is answering somebody else", retry_after=2.0)
        self._busy = True
        try:
            return await self._ask(question)
        finally:
            self._busy = False

    async def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "argus_console.foresee"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(self._patience):
                said, _ = await process.communicate(json.dumps(question).encode())
        except TimeoutError as error:
            raise DeadlineMissed(f"no answer within {self._patience:g} s") from error
        except (RuntimeError, OSError) as error:  # Its standard input is closed already.
            raise Unavailable("the simulator could not be started") from error
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        return _read(said)


def _read(said: bytes) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads(said)
    except ValueError as error:
        raise Unavailable("the simulator broke; the server's log tells more") from error
    if "wrong" in told:
        raise InvalidRequest.one("question", told["wrong"])
    return told


def main() -> None:
    """Answer the question on standard input."""
    from argus_console.whatif import answer  # noqa: PLC0415 - slow to import

    lifecycle.die_with_parent()
    try:
        told = answer(json.load(sys.stdin), clock=time.perf_counter)
    except ArgusError as error:
        told = {"wrong": str(error)}
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
