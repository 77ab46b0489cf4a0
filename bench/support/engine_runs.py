"""Plain diffusers and our engine, drawing the same, for benches of the engine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import quantiles
from typing import Any

import diffusers
import torch

from argus_core.spec import Variant
from argus_protos.v1 import cluster_pb2, worker_pb2
from argus_worker.check import to_order
from argus_worker.engine import Engine
from argus_worker.masters import Held, Masters
from argus_worker.order import Drawn, Failed

PROMPT = "a red circle left of a blue square"


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is drawn again and again."""

    side: int
    """Pixels of the square image."""
    steps: int
    guidance: float
    batch: int
    """Images at once."""
    cache: str = ""


@dataclass(frozen=True, kw_only=True)
class Speed:
    """How quickly it was drawn."""

    images_per_second: float
    p50: float
    """Seconds from asking until the image is there."""
    p99: float
    peak_device_bytes: int
    """0 on a CPU."""


def plain(
    folder: str, wish: Wish, *, kind: str, dtype: torch.dtype, device: str, rounds: int
) -> Speed:
    """By the pipeline's own call, in batches."""
    pipeline = getattr(diffusers, kind).from_pretrained(folder, dtype=dtype).to(device)
    pipeline.set_progress_bar_config(disable=True)
    arguments: Mapping[str, Any] = {
        "prompt": [PROMPT] * wish.batch,
        "num_inference_steps": wish.steps,
        "guidance_scale": wish.guidance,
        "width": wish.side,
        "height": wish.side,
    }
    pipeline(**arguments)
    _reset_peak(device)
    times, began = [], time.monotonic()
    for _ in range(rounds):
        asked = time.monotonic()
        pipeline(**arguments)
        times += [time.monotonic() - asked] * wish.batch
    return _speed(times, time.monotonic() - began, device)


async def ours(engine: Engine, held: Held, wish: Wish, *, device: str, rounds: int) -> Speed:
    """By the engine, so many at once."""
    await asyncio.gather(*(draw(engine, held, wish, seed) for seed in range(wish.batch)))
    _reset_peak(device)
    times, began = [], time.monotonic()
    for _ in range(rounds):
        times += await asyncio.gather(*(draw(engine, held, wish, n) for n in range(wish.batch)))
    return _speed(times, time.monotonic() - began, device)


async def draw(engine: Engine, held: Held, wish: Wish, seed: int) -> float:
    """One image; the seconds that it took."""
    request = worker_pb2.ExecuteRequest(
        variant=held.variant,
        prompt=PROMPT,
        size=cluster_pb2.Size(width=wish.side, height=wish.side),
        schedule=cluster_pb2.Schedule(
            steps=wish.steps, guidance_scale=wish.guidance, step_cache=wish.cache
        ),
        seed=seed,
    )
    asked = time.monotonic()
    deadline = engine.clock() + 3600
    job = engine.submit(to_order(request, held), deadline=deadline, on_end=lambda: None)
    while True:
        event = await job.outbox.get(3600.0)
        if isinstance(event, Failed):
            raise event.error
        if isinstance(event, Drawn):
            return time.monotonic() - asked


def start(variants: Mapping[str, Variant], *, device: str, slots: int) -> Engine:
    """A running engine; on the event loop."""
    masters = Masters(variants, device=torch.device(device), limit_bytes=2**40)
    engine = Engine(masters, device=torch.device(device), threads=1, slots=slots)
    engine.start()
    return engine


async def switch(engine: Engine, *names: str) -> tuple[dict[str, Held], dict[str, float]]:
    """Make variants resident; what that took."""
    began = time.monotonic()
    loaded = await engine.load(names, superseded=lambda: False)
    return loaded.held, {
        "seconds": time.monotonic() - began,
        "disk_bytes": loaded.disk_bytes,
        "moved_bytes": loaded.moved.moved,
        "kept_bytes": loaded.moved.kept,
    }


def _reset_peak(device: str) -> None:
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()


def _speed(times: list[float], seconds: float, device: str) -> Speed:
    cuts = quantiles(times, n=100, method="inclusive") if len(times) > 1 else times * 99
    return Speed(
        images_per_second=len(times) / seconds,
        p50=cuts[49],
        p99=cuts[98],
        peak_device_bytes=0 if device == "cpu" else torch.cuda.max_memory_allocated(),
    )
