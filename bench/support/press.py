"""Presses a router: an open loop in a process of its own that costs as little as Python may.

    python -m support.press --endpoint 127.0.0.1:50051 --rate 500 --seconds 60      (in bench/)

Requests are made once and sent as bytes; answers are counted and not read. Latency counts from the
moment at which a request should have been sent, whenever it was. Prints one line of JSON: `Told`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import cycle
from typing import Any

import grpc
import numpy as np

from argus_rpc import lifecycle
from argus_rpc.channel import OPTIONS
from support.asking import sendings

_Call = Any
"""Of gRPC: begins a call, given its bytes."""
METHOD = "/argus.v1.ImageService/Generate"
SHARES = (0.5, 0.9, 0.99, 0.999)
"""Quantiles that are told."""
_SOON = 0.3
"""Seconds before the first request, for all to be ready."""
_MOST = 20_000
"""Requests that may be under way; more are dropped here, and counted."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """What came of it."""

    sent: int
    codes: dict[str, int]
    """Requests by how they ended; `DROPPED` were never sent."""
    answers: int
    """Messages that came."""
    seconds: float
    """From the first moment to the last answer."""
    latency_ms: dict[str, float]
    """Of those that were answered, from the moment they should have been sent; by quantile."""
    taken_ms: dict[str, float]
    """The same from when they were sent."""
    late_ms: dict[str, float]
    """By which they were sent late."""
    cpu_seconds: float
    """Of this process, all that time."""


class Press:
    """One load: `run` it once."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._under_way, self._answers = 0, 0
        self._codes: Counter[str] = Counter()
        self._latency: list[float] = []
        self._taken: list[float] = []
        self._late: list[float] = []

    async def run(self) -> Told:
        """Send everything, and wait for all answers."""
        options = self._options
        planned = sendings(
            options.rate, options.seconds, seed=options.seed, deadline=options.deadline
        )
        bytes_of: dict[int, bytes] = {}
        for sending in planned:
            if sending.prompt not in bytes_of:
                message = sending.order.message(remaining=options.deadline)
                bytes_of[sending.prompt] = message.SerializeToString()
        channels = [
            grpc.aio.insecure_channel(options.endpoint, options=OPTIONS)
            for _ in range(options.connections)
        ]
        calls: Iterator[_Call] = cycle([channel.unary_stream(METHOD) for channel in channels])
        for channel in channels:
            channel.get_state(try_to_connect=True)
        began, spent = time.monotonic() + _SOON, time.process_time()
        loop, tasks = asyncio.get_running_loop(), set[asyncio.Task[None]]()
        for sending in planned:
            at = began + sending.at
            await asyncio.sleep(max(0.0, at - time.monotonic()))
            if self._under_way >= _MOST:
                self._codes["DROPPED"] += 1
                continue
            self._under_way += 1
            task = loop.create_task(self._one(next(calls), bytes_of[sending.prompt], at))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)
        ended = time.monotonic()
        spent = time.process_time() - spent
        for channel in channels:
            await channel.close()
        return Told(
            sent=len(planned) - self._codes["DROPPED"],
            codes=dict(self._codes),
            answers=self._answers,
            seconds=ended - began,
            latency_ms=_quantiles(self._latency),
            taken_ms=_quantiles(self._taken),
            late_ms=_quantiles(self._late),
            cpu_seconds=spent,
        )

    async def _one(self, begin: _Call, data: bytes, at: float) -> None:
        sent = time.monotonic()
        self._late.append(sent - at)
        call = begin(data, timeout=self._options.deadline)
        answers = 0
        try:
            async for _ in call:
                answers += 1
            code = "OK" if answers else "EMPTY"
        except grpc.aio.AioRpcError as error:
            code = error.code().name
        self._under_way -= 1
        self._answers += answers
        self._codes[code] += 1
        if code == "OK":
            now = time.monotonic()
            self._latency.append(now - at)
            self._taken.append(now - sent)


def _quantiles(seconds: list[float]) -> dict[str, float]:
    if not seconds:
        return {}
    found = np.quantile(np.array(seconds), SHARES)
    return {f"p{100 * share:g}": 1000 * float(v) for share, v in zip(SHARES, found, strict=True)}


def main() -> None:
    """Press, and tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--endpoint", required=True)
    add("--rate", type=float, required=True, help="requests a second")
    add("--seconds", type=float, required=True)
    add("--seed", type=int, default=1)
    add("--deadline", type=float, default=10.0, help="seconds, of each request")
    add("--connections", type=int, default=4)
    add("--die-with-parent", action="store_true", help="end when the parent ends")
    options = parser.parse_args()
    if options.die_with_parent:
        lifecycle.die_with_parent()

    async def press(_stop: asyncio.Event) -> None:
        print(json.dumps(asdict(await Press(options).run())), flush=True)

    lifecycle.run("press", press)


if __name__ == "__main__":
    main()
