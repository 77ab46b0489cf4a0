"""Whether an engine's memory stays flat over mixed requests and switches of loadouts.

    python bench/engine_memory.py --requests 500 --switches 50

Drives the engine in this process, with the small family and a tiny SDXL of random weights: sizes,
steps, guidance, previews and captures by turns, some cancelled midway and some late, one to three
at a time. Memory is looked at after every round of requests and its switch. Prints a line and
writes JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import random
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import torch

from argus_core.spec import Variant
from argus_protos.v1 import cluster_pb2, worker_pb2
from argus_worker.check import to_order
from argus_worker.engine import Engine
from argus_worker.job import Job
from argus_worker.masters import Held, Masters
from argus_worker.order import Drawn, Failed
from support import random_models, results

RESULTS = Path(__file__).parent / "results" / "engine_memory.json"
LOADOUTS = (("shapes",), ("sdxl",), ("shapes", "sdxl"))
SETTLED = 0.2
"""Share of the rounds after which all has been loaded and caches are full."""


@dataclass(kw_only=True)
class Figures:
    """What was seen."""

    outcomes: Counter[str] = field(default_factory=Counter)
    host_bytes: list[int] = field(default_factory=list)
    """Resident memory of the process after each round."""
    device_bytes: list[int] = field(default_factory=list)
    """Allocated on the accelerator; empty on a CPU."""

    def growth(self) -> float:
        """Bytes of host memory a round, by a line through the settled rounds."""
        return _slope(self.host_bytes[int(SETTLED * len(self.host_bytes)) :])


async def measure(folder: Path, *, requests: int, switches: int, device: str) -> Figures:
    """Run the rounds, one a switch."""
    model = random_models.sdxl(folder / "sdxl", dtype=torch.float32, tiny=True)
    variants = {
        "shapes": Variant(name="shapes", model="builtin:shapes-tiny", family="shapes"),
        "sdxl": Variant(name="sdxl", model=str(model), family="sdxl"),
    }
    masters = Masters(variants, device=torch.device(device), limit_bytes=2**34)
    engine = Engine(masters, device=torch.device(device), threads=1, slots=4)
    engine.start()
    figures, rng = Figures(), random.Random(0)
    try:
        for index in range(switches):
            loaded = await engine.load(LOADOUTS[index % 3], superseded=lambda: False)
            share = requests * (index + 1) // switches - requests * index // switches
            await _draw(engine, list(loaded.held.values()), share, rng, figures.outcomes)
            del loaded
            gc.collect()
            figures.host_bytes.append(psutil.Process().memory_info().rss)
            if device != "cpu":
                figures.device_bytes.append(torch.cuda.memory_allocated())
    finally:
        await engine.stop(10.0)
    return figures


async def _draw(
    engine: Engine, held: list[Held], count: int, rng: random.Random, outcomes: Counter[str]
) -> None:
    while count > 0:
        together = min(count, rng.randint(1, 3))
        count -= together
        ends = [await _begin(engine, rng.choice(held), rng) for _ in range(together)]
        outcomes.update(await asyncio.gather(*(_end(job, ended) for job, ended in ends)))


async def _begin(engine: Engine, held: Held, rng: random.Random) -> tuple[Job, asyncio.Event]:
    steps, ended = rng.randint(2, 8), asyncio.Event()
    request = worker_pb2.ExecuteRequest(
        variant=held.variant,
        prompt=" ".join(
            rng.choices(("red", "blue", "circle", "two", "small"), k=rng.randint(1, 6))
        ),
        schedule=cluster_pb2.Schedule(steps=steps, guidance_scale=rng.choice((1.0, 3.0))),
        seed=rng.getrandbits(32),
        preview_every_steps=rng.choice((0, 2)),
        capture_steps=rng.choice(((), (1,))),
    )
    if held.variant == "sdxl":
        side = rng.choice((64, 96, 128))
        request.size.CopyFrom(cluster_pb2.Size(width=side, height=128))
    late = rng.random() < 0.1
    deadline = engine.clock() + (0.005 if late else 600.0)
    job = engine.submit(to_order(request, held), deadline=deadline, on_end=ended.set)
    if rng.random() < 0.1:
        await job.outbox.get(60.0)
        job.cancel()
    return job, ended


async def _end(job: Job, ended: asyncio.Event) -> str:
    await asyncio.wait_for(ended.wait(), 120.0)
    if job.cancelled:
        return "cancelled"
    while True:
        event = await job.outbox.get(10.0)
        if isinstance(event, Drawn):
            return "drawn"
        if isinstance(event, Failed):
            return type(event.error).__name__


def _slope(values: list[int]) -> float:
    middle, mean = (len(values) - 1) / 2, sum(values) / len(values)
    spread = sum((index - middle) ** 2 for index in range(len(values)))
    together = sum((index - middle) * (value - mean) for index, value in enumerate(values))
    return together / spread if spread else 0.0


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--switches", type=int, default=50)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(
            measure(
                Path(folder),
                requests=options.requests,
                switches=options.switches,
                device=options.device,
            )
        )
    growth = figures.growth()
    document: dict[str, Any] = {
        "question": "does an engine's memory stay flat?",
        **results.origin(sys.argv),
        "requests": options.requests,
        "switches": options.switches,
        "outcomes": dict(figures.outcomes),
        "growth_bytes_a_round": growth,
        "host_bytes": figures.host_bytes,
        "device_bytes": figures.device_bytes,
    }
    results.write(document, options.out)
    first, last = figures.host_bytes[int(SETTLED * len(figures.host_bytes))], figures.host_bytes[-1]
    print(
        f"{dict(figures.outcomes)}; host {first / 2**20:.1f} MiB settled, {last / 2**20:.1f} MiB at"
        f" the end, {growth / 1024:+.1f} KiB a round"
    )


if __name__ == "__main__":
    main()
