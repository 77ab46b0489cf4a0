"""Measured times of an A100, by model and batch, and the levels made from them."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from argus_core.planning.problem import LevelProfile

GPU = "a100"

PUBLISHED: Mapping[str, Mapping[int, float]] = {
    "sdxs": {1: 0.05, 2: 0.06, 4: 0.08, 8: 0.13, 16: 0.24, 32: 0.48},
    "sd-turbo": {1: 0.1, 2: 0.15, 4: 0.22, 8: 0.41, 16: 0.77, 32: 1.56},
    "sdxl-lightning": {1: 0.55, 2: 0.98, 4: 1.85, 8: 3.58, 16: 7.1},
    "sd-v1.5": {1: 1.78, 2: 2.16, 4: 3.68, 8: 6.79, 16: 12.88, 32: 25.35},
    "sdxl": {1: 6.1, 2: 10.65, 4: 20.92, 8: 40.23, 16: 79.11},
}
"""Seconds by model and batch, as published with DiffServe; used where its file is absent."""

Times = Mapping[str, Mapping[int, float]]


def read(path: Path) -> Times:
    """Seconds by model and batch: of the file `model,batch,latency_ms`, or else as published."""
    if not path.exists():
        return PUBLISHED
    found: dict[str, dict[int, float]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["model"], {})[int(row["batch"])] = float(row["latency_ms"]) / 1000
    return found


def level(
    times: Times, name: str, *, measured: str | None = None, factor: float = 1.0
) -> LevelProfile:
    """A level that is a variant by itself.

    Args:
        times: seconds by model and batch.
        name: of the level and the variant.
        measured: the model whose times it has; the one of its name where not given.
        factor: times those, where it was not measured itself.
    """
    seconds = times[measured or name]
    return LevelProfile(
        name=name, variant=name, seconds={GPU: seconds[1] * factor}, batches=batches(seconds)
    )


def batches(seconds: Mapping[int, float]) -> tuple[float, ...]:
    """Time of a batch of 1, 2, ... relative to one alone; straight between measured sizes."""
    measured = sorted(seconds)
    sizes = np.arange(1, measured[-1] + 1)
    times = np.interp(sizes, measured, [seconds[size] / seconds[1] for size in measured])
    return tuple(times.tolist())
