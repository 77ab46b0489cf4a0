"""Seventeen days of a production service (GenTD26) in two hours, on a ladder of SDXL's kin.

Its publisher scaled the times, so that its shape alone is taken: office hours, quiet weekends, a
peak hour nine times the mean. A day lasts seven minutes here. Images a request, steps, checkpoints
and LoRAs are let be: every request is one image.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from argus_core.simulator.scenario import Scenario
from support import data, sdxl

SECONDS = 7200.0
"""Two hours."""

_WORKERS = 16


def scenario(
    seed: int,
    *,
    rate: float | None = None,
    workers: int = _WORKERS,
    seconds: float = SECONDS,
    correlation: float = 0.7,
    folder: Path | None = None,
) -> Scenario:
    """The service's requests.

    Args:
        seed: of truth, predictions and luck, and of arrivals where these are not as recorded.
        rate: mean requests a second; None for all that was recorded, 2.4 in two hours.
        workers: how many.
        seconds: that the trace is pressed into; fewer for loads that would take long to simulate.
        correlation: of predictions with the truth, over prompts.
        folder: of recorded data; see `data.folder`.
    """
    rng = np.random.default_rng(seed)
    recorded = data.folder(folder)
    file = recorded / "traces" / "gentd26.csv"
    profile = recorded / "profiles" / "a100_latency_ms.csv"
    given = data.hastened(data.trace(file, "gentd", rng), seconds)
    arrivals, _ = data.arrivals(given, rate=rate, step=10.0, rng=rng)
    return sdxl.scenario(
        data.named("gentd26", file, profile),
        arrivals,
        profile=profile,
        workers=workers,
        correlation=correlation,
        seed=seed,
        rng=rng,
    )
