"""A ladder of SDXL and its faster kin on A100s, and prompts for it.

Times are those of the A100 profile. SSD-1B was not measured there; it is told to be 60 % faster
than SDXL (huggingface.co, segmind/SSD-1B), with batches that gain as SDXL's do. Qualities are an
assumption: no measurement of all four on one scale is published, and raw PickScore hardly
separates such models (notes/literature.md). They are in the order of the models' FIDs, and the
loss doubles and more from level to level. How prompts differ is assumed too: losses of a level
spread by a log-normal factor whose logarithm has a standard deviation of 1, and 0.5 besides by
level; less than what the paper's setting is calibrated to.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from argus_core.planning.problem import LevelProfile
from argus_core.simulator.noise import predicted
from argus_core.simulator.scenario import Floats, Prompts, Scenario
from support import profiles, truth

QUALITIES: Mapping[str, float] = {
    "sdxl": 1.0,
    "ssd-1b": 0.97,
    "sdxl-lightning": 0.92,
    "sd-turbo": 0.8,
}
"""Mean over prompts."""
LOAD_SECONDS = 22.7
"""To load a base model: the median of a production service (GenTD26)."""
DEADLINE = 3 * 6.1
"""Seconds: three times what an image takes at the dearest level."""
SPREAD, OWN = 1.0, 0.5

_SPEED_UP = 1.6
"""Of SSD-1B over SDXL."""
_PROMPTS = 5000


def ladder(profile: Path) -> tuple[LevelProfile, ...]:
    """The four levels, each a variant by itself."""
    times = profiles.read(profile)
    return (
        profiles.level(times, "sdxl"),
        profiles.level(times, "ssd-1b", measured="sdxl", factor=1 / _SPEED_UP),
        profiles.level(times, "sdxl-lightning"),
        profiles.level(times, "sd-turbo"),
    )


def prompts(correlation: float, rng: np.random.Generator) -> Prompts:
    """Truth, and predictions of a correlation with it."""
    means = tuple(QUALITIES.values())
    true, _ = truth.lognormal(means, _PROMPTS, spread=SPREAD, own=OWN, rng=rng)
    return Prompts(truth=true, predicted=predicted(true, correlation=correlation, rng=rng))


def scenario(
    name: str,
    arrivals: Floats,
    *,
    profile: Path,
    workers: int,
    correlation: float,
    seed: int,
    rng: np.random.Generator,
) -> Scenario:
    """Arrivals on this ladder, each a prompt drawn evenly; `rng` has drawn the arrivals before."""
    drawn = prompts(correlation, rng)
    return Scenario(
        name=name,
        levels=ladder(profile),
        workers=(profiles.GPU,) * workers,
        deadline=DEADLINE,
        arrivals=arrivals,
        prompt_of=rng.integers(0, len(drawn.truth), len(arrivals)),
        prompts=drawn,
        switch_seconds=switch_seconds(),
        seed=seed,
    )


def switch_seconds() -> dict[str, float]:
    """By variant."""
    return dict.fromkeys(QUALITIES, LOAD_SECONDS)
