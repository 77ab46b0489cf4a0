"""Plain diffusers and our engine, drawing the same, for benches of the engine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import quantiles
from typing import Any

import diffusers
import torch
from PIL.Image import Image

from argus_core.spec import Variant
from argus_protos.v1 import cluster_pb2, worker_pb2
from argus_worker.check import to_order
from argus_worker.encodings import Encodings
from argus_worker.engine import Engine
from argus_worker.masters import Held, Masters
from argus_worker.order import Drawn, Failed
from argus_worker.tuning import Tuner
from support import gauge

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
    utilisation: float | None
    """Share of the time in which a kernel ran, as NVML tells; None where there is none."""


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
    with gauge.Gauge(device) as gauged:
        times, began = [], time.monotonic()
        for _ in range(rounds):
            asked = time.monotonic()
            pipeline(**arguments)
            times += [time.monotonic() - asked] * wish.batch
        took = time.monotonic() - began
    return _speed(times, took, device, gauged.utilisation)


async def ours(engine: Engine, held: Held, wish: Wish, *, device: str, rounds: int) -> Speed:
    """By the engine, so many at once: as a router does it, the next whenever a slot is free."""
    slots = asyncio.Semaphore(wish.batch)
    await _drawn(engine, held, wish, slots, wish.batch)
    _reset_peak(device)
    with gauge.Gauge(device) as gauged:
        began = time.monotonic()
        times = await _drawn(engine, held, wish, slots, rounds * wish.batch)
        took = time.monotonic() - began
    return _speed(times, took, device, gauged.utilisation)


async def _drawn(
    engine: Engine, held: Held, wish: Wish, slots: asyncio.Semaphore, count: int
) -> list[float]:
    tasks = []
    for seed in range(count):
        await slots.acquire()
        tasks.append(asyncio.ensure_future(draw(engine, held, wish, seed, slots.release)))
    return list(await asyncio.gather(*tasks))


async def draw(
    engine: Engine,
    held: Held,
    wish: Wish,
    seed: int,
    on_free: Callable[[], None] = lambda: None,
) -> float:
    """The seconds that one image took. `on_free` hears when its slot is free."""
    asked = time.monotonic()
    await picture(engine, held, wish, seed, on_free)
    return time.monotonic() - asked


async def picture(
    engine: Engine, held: Held, wish: Wish, seed: int, on_free: Callable[[], None]
) -> Image:
    """One image. `on_free` hears when its slot is free."""
    request = worker_pb2.ExecuteRequest(
        variant=held.variant,
        prompt=PROMPT,
        size=cluster_pb2.Size(width=wish.side, height=wish.side),
        schedule=cluster_pb2.Schedule(
            steps=wish.steps, guidance_scale=wish.guidance, step_cache=wish.cache
        ),
        seed=seed,
    )
    deadline = engine.clock() + 3600
    order = to_order(request, held)
    job = engine.submit(order, deadline=deadline, on_end=lambda: None, on_free=on_free)
    while True:
        event = await job.outbox.get(3600.0)
        if isinstance(event, Failed):
            raise event.error
        if isinstance(event, Drawn):
            return event.image


def start(
    variants: Mapping[str, Variant],
    *,
    device: str,
    slots: int,
    backend: str | None = None,
    measures: bool | None = None,
    encodings_bytes: int = 0,
) -> Engine:
    """A running engine; on the event loop.

    Args:
        variants: by name.
        device: as torch names it.
        slots: images at once.
        backend: of torch's compiler; None for the usual.
        measures: whether kernels of attention are timed; None for on a GPU.
        encodings_bytes: for encodings that are kept; plain diffusers keeps none.
    """
    place = torch.device(device)
    engine = Engine(
        Masters(variants, device=place, limit_bytes=2**40),
        device=place,
        threads=1,
        slots=slots,
        tuner=Tuner(variants, device=place, backend=backend, measures=measures),
        encodings=Encodings(limit_bytes=encodings_bytes),
    )
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
        "warm_seconds": loaded.warmed.seconds,
        "graphs": loaded.warmed.graphs,
    }


def _reset_peak(device: str) -> None:
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()


def _speed(times: list[float], seconds: float, device: str, utilisation: float | None) -> Speed:
    cuts = quantiles(times, n=100, method="inclusive") if len(times) > 1 else times * 99
    return Speed(
        images_per_second=len(times) / seconds,
        p50=cuts[49],
        p99=cuts[98],
        peak_device_bytes=0 if device == "cpu" else torch.cuda.max_memory_allocated(),
        utilisation=utilisation,
    )
