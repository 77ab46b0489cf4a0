"""A day at forty requests a second on average, from idle at night to overload by day.

The curve is the `day` look-alike: a trough of 16 a second, a peak of 64, gusts of minutes. The
ladder is the paper's, with SD-1.5 below it, on thirty-six workers: they carry 17 a second at
K = 0, 34 at K = 25 and 58 at SD-1.5, so that models must be moved twice a day, and the peak is
more than anyone carries.
"""

from __future__ import annotations

import numpy as np

from argus_core.simulator.arrivals import LOOKALIKES
from argus_core.simulator.scenario import Prompts, Scenario
from support import data, paper, truth

RATE = 40.0
"""Requests a second, mean."""
HOURS = 24.0
INTERVAL = 30.0
"""Seconds between two turns of the control loop."""

_WORKERS = 36
_LEVELS = 7
"""Of the paper's ladder: skipped steps, and SD-1.5."""
_MULTIPLE = 3.0
_PROMPTS = 5000


def scenario(
    seed: int, *, hours: float = HOURS, rate: float | None = None, workers: int = _WORKERS
) -> Scenario:
    """The day.

    Args:
        seed: of the curve's gusts, arrivals, truth, predictions and luck.
        hours: that the day is pressed into.
        rate: mean requests a second; None for `RATE`.
        workers: how many.
    """
    rng = np.random.default_rng(seed)
    levels = paper.ladder(smaller=True)[:_LEVELS]
    given = data.hastened(data.curve(*LOOKALIKES["day"](rng)), 3600 * hours)
    arrivals, _ = data.arrivals(given, rate=RATE if rate is None else rate, step=60.0, rng=rng)
    true, predicted = truth.lognormal(
        paper.means(levels), _PROMPTS, spread=paper.SPREAD, own=paper.OWN, rng=rng
    )
    variants = {level.variant for level in levels}
    return Scenario(
        name="day",
        levels=levels,
        workers=(paper.GPU,) * workers,
        deadline=_MULTIPLE * levels[0].seconds[paper.GPU],
        arrivals=arrivals,
        prompt_of=rng.integers(0, _PROMPTS, len(arrivals)),
        prompts=Prompts(
            truth=true, predicted=predicted, similarity=paper.similarities(_PROMPTS, rng)
        ),
        switch_seconds={v: s for v, s in paper.LOADS.items() if v in variants},
        interval=INTERVAL,
        seed=seed,
    )
