"""What it gains that an image is decoded and encoded while the next is denoised, on this machine.

    python bench/engine_overlap.py

A tiny SDXL of random weights draws image after image, in two ways by turns: the next is handed over
when the image before is there as PNG, or, as a router does it, when its slot is free. Told of each
way: for how long the denoiser stood still between two images, and seconds an image. Writes JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import torch

from argus_core.spec import Variant
from argus_protos.v1 import cluster_pb2
from argus_worker import images
from argus_worker.engine import Engine
from argus_worker.masters import Held
from support import engine_runs, random_models, results
from support.engine_runs import Wish

RESULTS = Path(__file__).parent / "results" / "engine_overlap.json"
WAYS = ("image", "slot")
"""Until what the next is waited with."""


async def measure(folder: Path, wish: Wish, *, device: str, rounds: int) -> dict[str, Any]:
    """Both ways by turns, so many images a turn."""
    path = random_models.sdxl(folder / "sdxl", dtype=torch.float32, tiny=True)
    variants = {"sdxl": Variant(name="sdxl", model=str(path), family="sdxl")}
    engine = engine_runs.start(variants, device=device, slots=1, encodings_bytes=2**20)
    seen: dict[str, dict[str, list[float]]] = {way: {"still": [], "seconds": []} for way in WAYS}
    try:
        held, _ = await engine_runs.switch(engine, "sdxl")
        await _draw(engine, held["sdxl"], wish, way="image", count=2)
        for _ in range(rounds):
            for way in WAYS:
                with _forwards(held["sdxl"], wish.steps) as gaps:
                    began = time.monotonic()
                    await _draw(engine, held["sdxl"], wish, way=way, count=wish.batch)
                    took = time.monotonic() - began
                seen[way]["still"] += gaps
                seen[way]["seconds"].append(took / wish.batch)
    finally:
        await engine.stop(10.0)
    return {
        way: {"still_seconds": median(found["still"]), "image_seconds": median(found["seconds"])}
        for way, found in seen.items()
    }


async def _draw(engine: Engine, held: Held, wish: Wish, *, way: str, count: int) -> None:
    slots, tasks = asyncio.Semaphore(1), []
    for seed in range(count):
        await slots.acquire()
        free = slots.release if way == "slot" else None
        tasks.append(asyncio.ensure_future(_one(engine, held, wish, seed, free=free, slots=slots)))
    await asyncio.gather(*tasks)


async def _one(
    engine: Engine, held: Held, wish: Wish, seed: int, *, free: Any, slots: asyncio.Semaphore
) -> None:
    picture = await engine_runs.picture(engine, held, wish, seed, free or (lambda: None))
    await asyncio.to_thread(images.encode, picture, cluster_pb2.IMAGE_FORMAT_PNG)
    if free is None:
        slots.release()


@contextmanager
def _forwards(held: Held, steps: int) -> Iterator[list[float]]:
    """Seconds between an image's last forward and the next one's first, as they come."""
    family: Any = held.family
    plain, gaps, at = family.predict, [], [0, 0.0]

    def predict(*arguments: Any) -> Any:
        if at[0] and at[0] % steps == 0:
            gaps.append(time.monotonic() - at[1])
        outcome = plain(*arguments)
        at[:] = at[0] + 1, time.monotonic()
        return outcome

    family.predict = predict
    try:
        yield gaps
    finally:
        del family.predict


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--images", type=int, default=6, help="of a turn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    wish = Wish(side=options.side, steps=options.steps, guidance=5.0, batch=options.images)
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(
            measure(Path(folder), wish, device=options.device, rounds=options.rounds)
        )
    for way, figures in found.items():
        print(f"the next once the {way} is there: {figures}")
    question = "what is gained by decoding an image while the next is denoised?"
    results.write({"question": question, **results.origin(sys.argv), "seconds": found}, options.out)


if __name__ == "__main__":
    main()
