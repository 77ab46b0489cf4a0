"""Sends prompts at a steady rate, open loop, and prints a line of JSON for each when it is done.

`python load.py ADDRESS RATE SECONDS`: runs on the node, where Services can be reached. A line has
`at` (seconds since the start, when it was sent), `took` (seconds), and `level`, `variant` and
`worker` or `error`. Asks again as the project's client does. Sends no more once its standard input
has ended.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time

from argus_client.aio import AsyncClient
from argus_client.order import Order
from argus_client.retry import Retry
from argus_core.errors import ArgusError
from argus_shapes import captions

_DEADLINE = 30.0
_PATIENT = Retry(attempts=60)
"""A prompt is given up at its deadline only."""


async def main(address: str, rate: float, seconds: float) -> None:
    """Send for `seconds`, or until told to end, then wait for what is under way."""
    luck, told_to_end = random.Random(0), await _input()
    async with AsyncClient(address, retry=_PATIENT) as client, asyncio.TaskGroup() as tasks:
        start, due = time.monotonic(), 0.0
        while due < seconds:
            try:
                async with asyncio.timeout(max(0.0, start + due - time.monotonic())):
                    await told_to_end.read()
            except TimeoutError:
                tasks.create_task(_told(client, captions.sample(luck).caption, start))
                due += luck.expovariate(rate)
            else:
                return


async def _input() -> asyncio.StreamReader:
    """Standard input, which nothing is ever written to."""
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    return reader


async def _told(client: AsyncClient, prompt: str, start: float) -> None:
    sent = time.monotonic()
    try:
        (picture,) = await client.draw(Order(prompt=prompt, deadline=_DEADLINE))
        decision = picture.decision
        told = {"level": decision.level, "variant": decision.variant, "worker": picture.worker}
    except ArgusError as error:
        told = {"error": f"{type(error).__name__}: {error}"}
    took = time.monotonic() - sent
    print(json.dumps({"at": sent - start, "took": took, **told}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], *map(float, sys.argv[2:4])))
