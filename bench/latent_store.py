"""How long the latent store takes, in a directory and in Redis, by the size of a latent.

    python bench/latent_store.py

Puts and gets one after the other, then eight at a time; how long after a put another process's
follower hears of it; and how fast a new follower is told of all there is. Redis is started on
loopback, and left out aloud where there is none. Prints a table and writes JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import secrets
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import quantiles

from rich.console import Console
from rich.table import Table

from argus_core.spec import LatentStore
from argus_latents import open_store
from argus_latents.store import Added, Entry, Store, StoreFailed
from support import redis

RESULTS = Path(__file__).parent / "results" / "latent_store.json"
SIZES = {"27 kB": 27_648, "128 kB": 131_072, "512 kB": 524_288}
"""The small family's in float32; at a megapixel in float16, SDXL's 4 channels, and 16 channels."""
_SCOPE, _FITS, _STEP = "bench", "variant=bench", 10
_TOGETHER = 8


@dataclass(frozen=True, kw_only=True)
class Times:
    """Of one kind of call, in milliseconds, and how many a second eight callers make."""

    p50_ms: float
    p99_ms: float
    per_second: float


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Of a store at a size."""

    store: str
    size: str
    put: Times
    get: Times
    heard_p50_ms: float
    """From the put's end until a follower on another connection heard."""
    told_per_second: float
    """Entries that a new follower is told of."""


def entry_of(latent: bytes) -> Entry:
    """A new entry of one latent."""
    now = time.time()
    return Entry(
        key=secrets.token_hex(16),
        scope=_SCOPE,
        compatibility=_FITS,
        steps=(_STEP,),
        embedding=os.urandom(768),
        encoder="bench",
        bytes=len(latent),
        seconds_per_step=0.1,
        created=now,
        expires=now + 3600.0,
    )


async def measure(url: str, store: str, size: str, count: int) -> Figures:
    """All figures, from `count` calls of each kind."""
    spec = LatentStore(url=url, max_bytes=2**34)
    first, second = open_store(spec, timeout=30.0), open_store(spec, timeout=30.0)
    latent = os.urandom(SIZES[size])
    entries = [entry_of(latent) for _ in range(2 * count)]
    put = await _times([partial(first.put, entry, {_STEP: latent}) for entry in entries])
    get = await _times([partial(_get, second, entry) for entry in entries])
    told = await _told(second, len(entries))
    heard = await _heard(first, second, latent)
    await first.delete([entry.key for entry in entries])
    for opened in (first, second):
        await opened.close()
    return Figures(
        store=store, size=size, put=put, get=get, heard_p50_ms=heard, told_per_second=told
    )


async def _get(store: Store, entry: Entry) -> None:
    if await store.get(entry.key, _STEP, scope=_SCOPE, compatibility=_FITS) is None:
        raise StoreFailed("what was just put is not there")


async def _times(calls: Sequence[Callable[[], Awaitable[None]]]) -> Times:
    """The first half one by one, the second by several callers."""
    half = len(calls) // 2
    seconds = [await _timed(call) for call in calls[:half]]
    rest = iter(calls[half:])

    async def caller() -> None:
        for call in rest:
            await call()

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(_TOGETHER)))
    cuts = quantiles(seconds, n=100)
    return Times(
        p50_ms=1e3 * cuts[49],
        p99_ms=1e3 * cuts[98],
        per_second=(len(calls) - half) / (time.perf_counter() - began),
    )


async def _timed(call: Callable[[], Awaitable[None]]) -> float:
    began = time.perf_counter()
    await call()
    return time.perf_counter() - began


async def _told(store: Store, count: int) -> float:
    began, told = time.perf_counter(), 0
    async with contextlib.aclosing(store.changes()) as changes:  # type: ignore[type-var]
        async for batch in changes:
            told += len(batch)
            if told >= count:
                break
    return told / (time.perf_counter() - began)


async def _heard(first: Store, second: Store, latent: bytes, times: int = 40) -> float:
    """Median milliseconds."""
    heard: asyncio.Queue[tuple[str, float]] = asyncio.Queue()
    following = asyncio.ensure_future(_follow(second, heard))
    # One that was there: all has been told, and the follower polls from now on.
    entries = [entry_of(latent) for _ in range(times + 1)]
    waits = []
    for entry in entries:
        # Another moment of the follower's interval each time.
        await asyncio.sleep(secrets.randbelow(200) / 1000)
        await first.put(entry, {_STEP: latent})
        put_at = time.perf_counter()
        while (told := await heard.get())[0] != entry.key:
            pass
        waits.append(told[1] - put_at)
    following.cancel()
    await first.delete([entry.key for entry in entries])
    return 1e3 * sorted(waits[1:])[times // 2]


async def _follow(store: Store, heard: asyncio.Queue[tuple[str, float]]) -> None:
    async for batch in store.changes():
        now = time.perf_counter()
        for change in batch:
            if isinstance(change, Added):
                heard.put_nowait((change.entry.key, now))


async def measure_all(count: int, folder: Path, console: Console) -> list[Figures]:
    """Both stores at all sizes."""
    found = [
        await measure(f"directory:{folder / str(size)}", "directory", size, count) for size in SIZES
    ]
    if not redis.is_installed():
        console.print(f"SKIPPED Redis: {redis.MISSING}", style="yellow")
        return found
    async with redis.redis_server(folder) as server:
        found += [await measure(server.url, "redis", size, count) for size in SIZES]
    return found


def table(found: Sequence[Figures]) -> Table:
    """To read."""
    shown = Table("store", "latent", "put ms p50/p99", "get ms p50/p99", "puts/s", "gets/s",
                  "heard ms", "told/s", title="The latent store")  # fmt: skip
    for f in found:
        shown.add_row(
            f.store,
            f.size,
            f"{f.put.p50_ms:.2f} / {f.put.p99_ms:.2f}",
            f"{f.get.p50_ms:.2f} / {f.get.p99_ms:.2f}",
            f"{f.put.per_second:,.0f}",
            f"{f.get.per_second:,.0f}",
            f"{f.heard_p50_ms:.0f}",
            f"{f.told_per_second:,.0f}",
        )
    return shown


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=300, help="calls of each kind")
    parser.add_argument("--folder", type=Path, help="where the directory store is; else temporary")
    parser.add_argument("--machine", default=platform.processor() or platform.machine())
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        found = asyncio.run(measure_all(options.count, Path(folder), console))
    console.print(table(found))
    document = {
        "question": "how long does the latent store take?",
        "command": " ".join(["python", *sys.argv]),
        "machine": options.machine,
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
        "calls": options.count,
        "together": _TOGETHER,
        "figures": [asdict(f) for f in found],
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(document, indent=1) + "\n")
    console.print(f"Figures in {options.out}")


if __name__ == "__main__":
    main()
