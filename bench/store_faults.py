"""What becomes of pictures and times while the latent store fails, in a whole cluster under load.

    python bench/store_faults.py --rate 6 --seconds 25

Captions that come back again and again are sent to a whole cluster of real processes whose latents
are in a real Redis. Phase by phase the store is well, slowed to two seconds, stopped, begun anew
and empty, filled up, spoilt, and well again. Told for each phase: what was answered, how much began
from a latent, whether pictures show what was asked for, and how long they took. Prints a table and
writes JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from redis.asyncio import Redis
from rich.console import Console
from rich.table import Table

from argus_cli.document import load_document
from argus_cli.local.cluster import LocalCluster
from argus_client import AsyncClient
from argus_client.retry import Retry
from argus_control.planning import Planning
from argus_core.simulator.arrivals import poisson
from argus_latents.redis_store import PREFIX
from argus_shapes.captions import sample
from cached_starts import Answer, Asked, send
from support import results, small
from support.redis import RedisServer, SlowProxy, redis_server

RESULTS = results.FOLDER / "store_faults.json"
CAPTIONS = 60
"""That come back, each as often as the others."""
FULL = "40mb"
"""What Redis may hold: a few hundred latents of the small family."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """The store, and the ways to harm it."""

    server: RedisServer
    proxy: SlowProxy

    async def well(self) -> None:
        """As it should be."""
        self.proxy.delay = 0.0
        if self.server.process is None:
            await self.server.start()

    async def slow(self) -> None:
        """Two seconds for every answer."""
        self.proxy.delay = 2.0

    async def stopped(self) -> None:
        """Killed."""
        self.proxy.delay = 0.0
        self.server.stop()

    async def anew(self) -> None:
        """Begun anew under load, and empty."""
        await self.server.start()

    async def restarted(self) -> None:
        """Killed and begun anew at once."""
        self.server.stop()
        await self.server.start()

    async def filled(self) -> None:
        """So full that Redis takes nothing more."""
        async with self._redis() as redis:
            room = 2**20
            await redis.config_set("maxmemory", FULL)
            for number in range(200):
                try:
                    await redis.set(f"filling:{number}", bytes(room))
                except Exception:  # noqa: BLE001 - full, which is what was wanted
                    return
        raise AssertionError("it does not fill up")

    async def spoilt(self) -> None:
        """One byte of each latent is another."""
        async with self._redis() as redis:
            await redis.config_set("maxmemory", "0")
            for number in range(200):
                await redis.delete(f"filling:{number}")
            async for key in redis.scan_iter(f"{PREFIX}latents:*"):
                frames: dict[bytes, bytes] = await redis.hgetall(key)  # type: ignore[assignment]
                for step, frame in frames.items():
                    at = random.randrange(len(frame))
                    other = frame[:at] + bytes([frame[at] ^ 1]) + frame[at + 1 :]
                    await redis.hset(key, step, other)

    @asynccontextmanager
    async def _redis(self) -> AsyncIterator[Redis]:
        redis = Redis(port=self.server.port)
        try:
            yield redis
        finally:
            await redis.aclose()


def phases(place: Place) -> list[tuple[str, Callable[[], Awaitable[None]]]]:
    """What is done to the store, in order."""
    return [
        ("empty at first", place.well),
        ("well", place.well),
        ("slowed to 2 s", place.slow),
        ("well again", place.well),
        ("stopped", place.stopped),
        ("begun anew, empty", place.anew),
        ("restarted mid-load", place.restarted),
        ("filled up", place.filled),
        ("each latent spoilt", place.spoilt),
        ("well in the end", place.well),
    ]


def document(folder: Path, url: str, workers: int) -> Path:
    """The sample, with its latents there."""
    found = small.document()
    found["spec"]["latentStore"]["url"] = url
    found["spec"]["pools"][0]["workers"] = workers
    return small.written(found, folder)


def told(name: str, answers: Sequence[Answer]) -> dict[str, Any]:
    """Figures of a phase."""
    drawn = [answer.drawn for answer in answers if answer.drawn is not None]
    begun = [answer for answer in answers if answer.similarity is not None]
    return {
        "phase": name,
        "asked": len(answers),
        "drawn": len(drawn),
        "errors": dict(Counter(answer.error for answer in answers if answer.error)),
        "from_latents": len(begun) / max(1, len(drawn)),
        "exact": fmean(answer.exact for answer in answers if answer.drawn is not None),
        "predicted": fmean(each.decision.predicted_quality for each in drawn),
        "worker_seconds": fmean(each.timing.drawing for each in drawn),
        "p50_seconds": float(np.quantile([each.timing.total for each in drawn], 0.5)),
        "p99_seconds": float(np.quantile([each.timing.total for each in drawn], 0.99)),
        "levels": dict(Counter(each.decision.level for each in drawn).most_common()),
    }


async def measure(options: argparse.Namespace, console: Console) -> list[dict[str, Any]]:
    """All phases, one after the other, while the load goes on."""
    rng, moments = random.Random(options.seed), np.random.default_rng(options.seed)
    rate = np.array([options.rate])
    captions = [sample(rng).caption for _ in range(CAPTIONS)]
    found = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with redis_server(folder) as server, SlowProxy(server.port) as proxy:
            loaded = load_document(document(folder, proxy.url, options.workers))
            async with (
                LocalCluster(*loaded, planning=Planning()) as cluster,
                AsyncClient(cluster.router["grpc"], retry=Retry(attempts=1)) as client,
            ):
                for phase, act in phases(Place(server=server, proxy=proxy)):
                    times = poisson(rate, options.seconds, moments).tolist()
                    asked = [Asked(prompt=rng.choice(captions), at=at) for at in times]
                    # Two seconds in: what is on its way is met by the fault, too.
                    late = asyncio.create_task(after(2.0, act))
                    answers = await send(client, asked, lambda: None)
                    await late
                    found.append(told(phase, answers))
                    row = found[-1]
                    console.print(f"{phase}: {row['drawn']} of {row['asked']} drawn")
    return found


async def after(seconds: float, act: Callable[[], Awaitable[None]]) -> None:
    """Do it in so many seconds."""
    await asyncio.sleep(seconds)
    await act()


def show(rows: Sequence[dict[str, Any]]) -> Table:
    """The table."""
    table = Table("store", "drawn", "errors", "from latents", "exact", "predicted", "worker s",
                  "p50 s", "p99 s")  # fmt: skip
    for row in rows:
        table.add_row(row["phase"], f"{row['drawn']} of {row['asked']}", str(row["errors"] or ""),
                      f"{row['from_latents']:.0%}", f"{row['exact']:.3f}",
                      f"{row['predicted']:.3f}", f"{row['worker_seconds']:.3f}",
                      f"{row['p50_seconds']:.2f}", f"{row['p99_seconds']:.2f}")  # fmt: skip
    return table


def main() -> None:
    """Measure, show, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=6.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=25.0, help="of each phase")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    console = Console()
    rows = asyncio.run(measure(options, console))
    console.print(show(rows))
    question = "What becomes of pictures and times while the latent store fails?"
    asked = {"rate": options.rate, "seconds": options.seconds, "workers": options.workers}
    results.write(
        {"question": question, **results.origin(sys.argv), **asked, "phases": rows}, options.out
    )
    console.print(f"Figures in {options.out}")


if __name__ == "__main__":
    main()
