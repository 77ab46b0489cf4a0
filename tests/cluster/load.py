"""Sends prompts as `argus load` does, and prints a record of each when all is done, as JSON lines.

`python load.py ADDRESS RATE SECONDS`: runs on the node, where Services can be reached, and where no
folder is shared to leave a report in. A prompt is given up at its deadline only. Sends no more once
its standard input has ended.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict

from argus_cli.load import sendings
from argus_cli.load.sending import Line, Load
from argus_client import Order

_ATTEMPTS = 60
_MOST = 1000


async def main(address: str, rate: float, seconds: float) -> None:
    """Send for `seconds`, or until told to end, then wait for what is under way."""
    planned = sendings.planned(
        trace=None,
        rate=rate,
        duration=seconds,
        speed=1.0,
        prompts=None,
        tenants={},
        like=Order(prompt="", deadline=30.0, progress=False),
        seed=0,
    )
    load = Load(Line(endpoint=address, attempts=_ATTEMPTS), planned, most=_MOST)
    ending = asyncio.create_task(_end(load))
    await load.run()
    ending.cancel()
    for record in load.records:
        print(json.dumps(asdict(record)))


async def _end(load: Load) -> None:
    """End with standard input, which nothing is ever written to."""
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    await reader.read()
    load.end()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], *map(float, sys.argv[2:4])))
