"""The Twitter stream as Proteus has it, thinned to three loads, on a ladder of SDXL's kin.

Five minutes with a high and a low hump: the peak is nearly three times the mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from argus_core.simulator.scenario import Scenario
from support import data, sdxl

LOADS: Mapping[str, float] = {"low": 2.5, "middle": 8.0, "high": 16.0}
"""Mean requests a second. Of sixteen workers SDXL carries 2.6, SDXL-Lightning 29, SD-Turbo 300:
the peak of the first needs some SSD-1B or Lightning, that of the last some SD-Turbo."""

_WORKERS = 16


def scenario(
    seed: int,
    *,
    load: str = "middle",
    rate: float | None = None,
    workers: int = _WORKERS,
    correlation: float = 0.7,
    folder: Path | None = None,
) -> Scenario:
    """The stream at a load.

    Args:
        seed: of thinning, truth, predictions and luck.
        load: one of `LOADS`.
        rate: mean requests a second instead.
        workers: how many.
        correlation: of predictions with the truth, over prompts.
        folder: of recorded data; see `data.folder`.
    """
    rng = np.random.default_rng(seed)
    recorded = data.folder(folder)
    file = recorded / "traces" / "twitter_zipf.csv"
    profile = recorded / "profiles" / "a100_latency_ms.csv"
    wanted = LOADS[load] if rate is None else rate
    given = data.trace(file, "twitter", rng)
    arrivals, _ = data.arrivals(given, rate=wanted, step=5.0, rng=rng)
    return sdxl.scenario(
        data.named(f"twitter_{load}", file, profile),
        arrivals,
        profile=profile,
        workers=workers,
        correlation=correlation,
        seed=seed,
        rng=rng,
    )
