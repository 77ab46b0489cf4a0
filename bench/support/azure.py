"""DiffServe's setting: its traces, its A100 profile, its discriminators' confidences as truth.

The heavy level, SD-v1.5, is the best there is, and its quality is 1 for every prompt. What a light
level's image is worth is taken from DiffServe's own measure, the FID of all images together, as
the share of prompts served by the light level grows and the discriminator says which come next:
the quality of an image is 1 less what it adds to the FID, relative to the heavy level's FID. Where
the FID falls, as it does for the 40 % (SD-Turbo) or 30 % (SDXS) of prompts that the discriminator
likes best, the light image is as good as the heavy one or better, and counts 1: nothing is better
than the best level. So the order of prompts is that of the confidences, and the scale is the
published FID's; confidences themselves are no scale, since each discriminator was trained for its
own model, and SDXS would seem better than SD-Turbo. The mean quality of serving all light comes
out near 0.7 (SD-Turbo) and 0.6 (SDXS). A mix that is best by FID, some 40 % light, is one that
loses nothing by this measure, but does not gain either. All this favours DiffServe: what its
discriminator says of an image, once drawn, orders the truth exactly; others have predictions.

Recorded arrivals are the same for every seed; predictions and luck are not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from argus_core.simulator.noise import predicted
from argus_core.simulator.scenario import Floats, Ints, Prompts, Scenario
from support import data, profiles

TRACES: Mapping[str, tuple[int, float]] = {"1to8": (4, 4.7), "2to16": (8, 9.6), "4to32": (16, 19.3)}
"""By trace: workers, which are DiffServe's own for the last and in proportion for the others, and
mean requests a second."""
DEADLINE = 5.0
"""Seconds; DiffServe's SLO."""
HEAVY = "sd-v1.5"
LIGHT: Mapping[str, str] = {"sd-turbo": "sdturbo", "sdxs": "sdxs"}
"""Light levels, and what their discriminators' files are called."""
FID: Mapping[str, Sequence[float]] = {
    "sd-turbo": (18.55, 17.85, 17.33, 16.98, 16.79, 16.95, 17.26, 17.95, 18.86, 20.17, 22.77),
    "sdxs": (18.55, 17.68, 17.08, 16.97, 17.13, 17.58, 18.21, 19.23, 20.54, 22.34, 24.86),
}
"""By share served light, 0 to 1 by 0.1, in the discriminator's order; published with DiffServe
(its plotting/plot_results.py)."""
LOAD_SECONDS = 21.7
"""To load a model of SD's class: the paper's for SD-1.5."""

RERUN: Mapping[str, tuple[float, float]] = {
    "diffserve": (0.0416, 0.39),
    "static threshold": (0.0115, 0.26),
    "all light": (0.0, 0.0),
    "all heavy": (0.948, 1.0),
}
"""DiffServe run again on 4to32, 16 workers, sd-turbo before sd-v1.5, switching free: violations,
and share served heavy. Its MILP delivered 18.45 good images a second."""
CLAIMED = "up to 24 % better quality, 19 to 70 % fewer violations than its baselines"
"""DiffServe's abstract."""

_PROMPTS = 5000


def scenario(
    seed: int,
    *,
    trace: str = "4to32",
    free: bool = False,
    rate: float | None = None,
    workers: int | None = None,
    correlation: float = 0.7,
    folder: Path | None = None,
) -> Scenario:
    """One of DiffServe's traces.

    Args:
        seed: of predictions and luck, and of arrivals where these are not as recorded.
        trace: one of `TRACES`.
        free: whether loading costs nothing, as in DiffServe run again.
        rate: mean requests a second; None for as recorded.
        workers: None for those of `TRACES`.
        correlation: of predictions with the truth, over prompts.
        folder: of recorded data; see `data.folder`.
    """
    rng = np.random.default_rng(seed)
    recorded = data.folder(folder)
    file = recorded / "traces" / f"azure_{trace}.csv"
    profile = recorded / "profiles" / "a100_latency_ms.csv"
    count, mean = TRACES[trace]
    given = data.trace(file, "azure", rng)
    if rate is None and given.arrivals is None:
        rate = mean
    arrivals, ids = data.arrivals(given, rate=rate, step=5.0, rng=rng)
    said = {name: _confidence(recorded, name, rng) for name in LIGHT}
    true = np.column_stack([np.ones(_PROMPTS), *(quality(said[n], FID[n]) for n in LIGHT)])
    times = profiles.read(profile)
    return Scenario(
        name=data.named(f"azure_{trace}", file, profile, *(_file(recorded, n) for n in LIGHT)),
        levels=tuple(profiles.level(times, name) for name in (HEAVY, *LIGHT)),
        workers=(profiles.GPU,) * (workers or count),
        deadline=DEADLINE,
        arrivals=arrivals,
        prompt_of=_any(len(arrivals), rng) if ids is None else ids,
        prompts=Prompts(
            truth=true,
            predicted=predicted(true, correlation=correlation, rng=rng),
            confidence={i: said[name] for i, name in enumerate(LIGHT, start=1)},
        ),
        switch_seconds={} if free else dict.fromkeys((HEAVY, *LIGHT), LOAD_SECONDS),
        seed=seed,
    )


def quality(confidence: Floats, fid: Sequence[float]) -> Floats:
    """By prompt: 1 less what its light image adds to the FID, relative to the heavy level's.

    Args:
        confidence: by prompt, the discriminator's in the light image.
        fid: by share served light, evenly spaced from 0 to 1.
    """
    count, shares = len(confidence), len(fid) - 1
    rank = np.empty(count)
    rank[np.argsort(-confidence, kind="stable")] = (np.arange(count) + 0.5) / count
    added = np.diff(fid) * shares / fid[0]
    loss = np.interp(rank, (np.arange(shares) + 0.5) / shares, added)
    return np.clip(1 - loss, 0.0, 1.0)


def _file(recorded: Path, name: str) -> Path:
    return recorded / "profiles" / f"diffserve_discriminator_{LIGHT[name]}.csv"


def _confidence(recorded: Path, name: str, rng: np.random.Generator) -> Floats:
    """By prompt, in the light level's image; a look-alike is as skewed."""
    fake = data.column(_file(recorded, name), "fake_probability")
    if fake is None:
        return 0.6 * rng.random(_PROMPTS) ** 2
    return 1 - fake


def _any(count: int, rng: np.random.Generator) -> Ints:
    return rng.integers(0, _PROMPTS, count)
