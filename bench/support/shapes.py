"""The small models' own ladder on CPU workers, with the quality that was measured of them.

Levels and their seconds are those of the studio that comes with Argus; the quality of each caption
at each level is `results/shapes_quality.csv`: the share of pictures drawn exactly as the caption
says. Where that file is absent, a look-alike has the studio's mean qualities, spread over captions
by a log-normal factor. The arrivals are the paper's square wave, a minute of it in a second.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from argus_cli.document import load_document
from argus_cli.simulate.ladder import levels_of, qualities_of
from argus_cli.simulate.traces import Trace
from argus_core.simulator.arrivals import LOOKALIKES
from argus_core.simulator.noise import predicted
from argus_core.simulator.scenario import Floats, Prompts, Scenario
from support import data, truth

MEASURED = Path(__file__).resolve().parents[1] / "results" / "shapes_quality.csv"
SWITCH_SECONDS = 0.06
"""To load a variant: the mean of results/switches.json."""
GPU = "cpu"

_PACE = 60.0
"""Seconds of the wave in one second."""
_BURST = 33.0
"""Requests a second and worker in a burst. One worker carries 8 at large-24, 25 at small-16, 45 at
small-8, 67 at tiny-8."""
_MULTIPLE = 10.0
"""The deadline, in times of an image at the dearest level."""
_CAPTIONS = 1000


def scenario(
    seed: int,
    *,
    workers: int = 4,
    rate: float | None = None,
    seconds: float | None = None,
    correlation: float = 0.7,
    quality: Path | None = None,
) -> Scenario:
    """The small models under bursts.

    Args:
        seed: of arrivals, predictions and luck, and of the truth where none was measured.
        workers: CPU workers of one thread.
        rate: mean requests a second; None for bursts that need the ladder's middle.
        seconds: so many of the bursts' load alone; None for the whole wave.
        correlation: of predictions with the truth, over captions.
        quality: file of measured qualities; None for `MEASURED`.
    """
    rng = np.random.default_rng(seed)
    measured = MEASURED if quality is None else quality
    _, document = load_document(None)
    levels = levels_of(document.spec)
    given = _wave(workers, rate, seconds, rng)
    arrivals, _ = data.arrivals(given, rate=None, step=1.0, rng=rng)
    found = _measured(measured, [level.name for level in levels])
    if found is None:
        means = qualities_of(document.spec)
        found, _ = truth.lognormal(means, _CAPTIONS, spread=1.0, own=0.5, rng=rng)
    return Scenario(
        name=data.named("shapes", measured),
        levels=levels,
        workers=(GPU,) * workers,
        deadline=_MULTIPLE * levels[0].seconds[GPU],
        arrivals=arrivals,
        prompt_of=rng.integers(0, len(found), len(arrivals)),
        prompts=Prompts(truth=found, predicted=predicted(found, correlation=correlation, rng=rng)),
        switch_seconds=dict.fromkeys((level.variant for level in levels), SWITCH_SECONDS),
        seed=seed,
    )


def _wave(
    workers: int, rate: float | None, seconds: float | None, rng: np.random.Generator
) -> Trace:
    """The load; see `scenario`."""
    most = _BURST * workers
    if seconds is not None:
        return data.curve(np.array([most if rate is None else rate]), seconds)
    rates, step = LOOKALIKES["bursty"](rng)
    scale = most / rates.max() if rate is None else rate / rates.mean()
    return data.curve(rates * scale, step / _PACE)


def _measured(path: Path, levels: list[str]) -> Floats | None:
    """Captions by levels; None where nothing was measured."""
    if not path.exists():
        return None
    columns = [data.column(path, name) for name in levels]
    return np.column_stack([column for column in columns if column is not None])
