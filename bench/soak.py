"""Ten minutes of overload and of faults: whether every request gets exactly one answer, in time.

    python bench/soak.py --minutes 10 --load 1.2

A whole cluster of real processes with its latents in a real Redis, and a second router beside the
first, under 1.2 times what its fastest level carries. Every twenty seconds something breaks: a
worker is killed, a worker hangs, the predictor is killed, the store goes down, one router is
restarted, then the other. The load is put on by `argus load`, a process of its own, whose clients
know both routers and come again where one is away. Each request in its log is then checked
(`argus_cli.load.checking`). Prints what broke and what became of requests, and writes JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from rich.console import Console

from argus_cli.document import load_document
from argus_cli.load import checking, record
from argus_cli.load.record import OK
from argus_cli.load.sending import Sending
from argus_cli.local.cluster import PREDICTOR, LocalCluster
from argus_client import AsyncClient, Order
from argus_control.planning import Planning
from argus_rpc.meanwhile import under_way
from support import results, small
from support.asking import PROMPTS, sendings
from support.process import process
from support.redis import redis_server

RESULTS = results.FOLDER / "soak.json"
BETWEEN = 20.0
"""Seconds between faults."""
HANGS = 8.0
"""Seconds that a worker hangs, and that the store is away."""
DEADLINE = 20.0
ATTEMPTS = 4
"""Tries of a client: a router that is away is no answer."""
GRACE = 2.0
MOST = 20_000
"""Requests under way at most."""
TIMED, AT_ONCE = 25, 8
"""Images that so many clients ask for, one after the other, to see what is carried."""

Act = Callable[[], Awaitable[None]]


class Faults:
    """What breaks, in turn, and when it did."""

    def __init__(self, cluster: LocalCluster, acts: Sequence[tuple[str, Act]]) -> None:
        self._cluster, self._acts = cluster, acts
        self.told: list[dict[str, Any]] = []

    async def run(self, began: float) -> None:
        """Break one thing after the other, for ever."""
        turn = 0
        while True:
            await asyncio.sleep(BETWEEN)
            name, act = self._acts[turn % len(self._acts)]
            turn += 1
            self.told.append({"at": round(time.monotonic() - began, 1), "fault": name})
            await act()


def acts(cluster: LocalCluster, second: Restarted, store: Any) -> list[tuple[str, Act]]:
    """Everything that breaks."""
    workers, views = sorted(cluster.workers), cluster.supervisor.views

    def send(name: str, number: signal.Signals) -> None:
        if (pid := views[name].pid) is not None:
            os.kill(pid, number)

    async def kill_worker() -> None:
        send(workers[0], signal.SIGKILL)

    async def hang_worker() -> None:
        pid = views[workers[-1]].pid
        if pid is not None:
            os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(HANGS)
            if views[workers[-1]].pid == pid:
                os.kill(pid, signal.SIGCONT)

    async def kill_predictor() -> None:
        send(PREDICTOR, signal.SIGKILL)

    async def store_down() -> None:
        store.stop()
        await asyncio.sleep(HANGS)
        await store.start()

    async def first_router() -> None:
        send("router", signal.SIGTERM)

    return [
        ("a worker is killed", kill_worker),
        ("a worker hangs", hang_worker),
        ("the predictor is killed", kill_predictor),
        ("the store is down", store_down),
        ("the first router restarts", first_router),
        ("the second router restarts", second.again),
    ]


class Restarted:
    """The second router: at the same address each time it is begun."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._arguments = list(arguments)
        self.address = ""
        self._stack = AsyncExitStack()

    async def begin(self) -> None:
        """Start it."""
        ports = ["--grpc", self.address or "127.0.0.1:0", "--http", "127.0.0.1:0"]
        begun = process("argus_router", *self._arguments, *ports, ARGUS_LOG_LEVEL="WARNING")
        self.address = (await self._stack.enter_async_context(begun))[1]["grpc"]

    async def again(self) -> None:
        """Have it drain and end, and start it anew."""
        await self.end()
        await self.begin()

    async def end(self) -> None:
        """Have it drain and end."""
        await self._stack.aclose()


def document(folder: Path, url: str) -> Path:
    """The small family with cached starts."""
    found = small.document()
    found["spec"]["latentStore"]["url"] = url
    return small.written(found, folder)


async def carried(address: str) -> float:
    """Images a second at the fastest level, from end to end, with more asked for than is drawn."""
    async with AsyncClient(address) as client:
        level = (await client.describe()).levels[-1].name
        order = Order(prompt="a red circle", level=level, deadline=120.0)

        async def asks() -> None:
            for _ in range(TIMED):
                await client.draw(order)

        await client.draw(order)
        began = time.monotonic()
        await asyncio.gather(*(asks() for _ in range(AT_ONCE)))
        return AT_ONCE * TIMED / (time.monotonic() - began)


def written(planned: Sequence[Sending], folder: Path) -> tuple[Path, Path]:
    """The requests as a trace and a file of prompts."""
    folder.mkdir(parents=True, exist_ok=True)
    trace, prompts = folder / "trace.csv", folder / "prompts.txt"
    texts = {sending.prompt: sending.order.prompt for sending in planned}
    prompts.write_text("".join(f"{texts.get(i, 'a red circle')}\n" for i in range(PROMPTS)))
    rows = (f"{sending.at:.6f},{sending.prompt}\n" for sending in planned)
    trace.write_text("arrival_s,prompt_id\n" + "".join(rows))
    return trace, prompts


async def loaded_with(planned: Sequence[Sending], endpoint: str, folder: Path) -> None:
    """Put the load on, by the command that users have; its log is in the folder then.

    Raises:
        RuntimeError: the command failed.
    """
    trace, prompts = written(planned, folder)
    told = {
        "trace": trace, "prompts": prompts, "endpoint": endpoint, "clients": 2,
        "attempts": ATTEMPTS, "deadline": f"{DEADLINE}s", "most": MOST, "out": folder,
    }  # fmt: skip
    options = [part for name, value in told.items() for part in (f"--{name}", str(value))]
    command = Path(sys.executable).with_name("argus")
    child = await asyncio.create_subprocess_exec(command, "load", *options)
    try:
        if await child.wait():
            raise RuntimeError(f"argus load ended with {child.returncode}")
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def measure(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """The soak."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with redis_server(folder) as store, AsyncExitStack() as stack:
            loaded = load_document(document(folder, store.url))
            cluster = await stack.enter_async_context(LocalCluster(*loaded, planning=Planning()))
            second = Restarted(["--cluster", str(folder / "cluster.yaml"), *cluster.beside])
            await second.begin()
            stack.push_async_callback(second.end)
            rate = options.load * await carried(cluster.router["grpc"])
            planned = sendings(rate, 60 * options.minutes, seed=1, deadline=DEADLINE)
            faults = Faults(cluster, acts(cluster, second, store))
            console.print(f"{len(planned)} requests at {rate:.1f} a second")
            both = f"{cluster.router['grpc']},{second.address}"
            async with under_way(faults.run(time.monotonic())):
                await loaded_with(planned, both, options.log)
    records = record.read(options.log / "requests.jsonl")
    found = checking.problems(records, expected=len(planned), grace=GRACE)
    return {
        "rate": rate,
        "minutes": options.minutes,
        "faults": faults.told,
        "problems": found[:50],
        "problems_in_all": len(found),
        "codes": dict(Counter(r.code for r in records)),
        "late": sum(r.code == OK and not r.in_time for r in records),
        "figures": json.loads((options.log / "report.json").read_text()),
    }


def main() -> None:
    """Soak, show, write; ends with 1 where anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--load", type=float, default=1.2, help="of what the fastest level carries")
    parser.add_argument(
        "--log", type=Path, default=Path("out/soak"), help="folder of the load's log"
    )
    parser.add_argument("--out", type=Path, default=RESULTS)
    options, console = parser.parse_args(), Console()
    found = asyncio.run(measure(options, console))
    question = "Through faults and overload: does every request get exactly one answer, in time?"
    results.write({"question": question, **results.origin(sys.argv), **found}, options.out)
    console.print(f"{len(found['faults'])} faults; {found['codes']}; {found['late']} OK came late")
    for problem in found["problems"]:
        console.print(problem, style="red", highlight=False)
    console.print(f"{found['problems_in_all']} problems. Figures in {options.out}")
    sys.exit(1 if found["problems_in_all"] else 0)


if __name__ == "__main__":
    main()
