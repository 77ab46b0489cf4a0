"""What a policy is told of a scenario before the first request: everything but the truth.

Profile figures (mean quality, what a discriminator says) are means over all prompts, as a profile
made beforehand would give them; the sample is of what was predicted.
"""

from __future__ import annotations

import numpy as np

from argus_core.policies.policy import Prompt, Setting
from argus_core.simulator.scenario import Scenario

_SAMPLE = 500
_FIRST = 60.0
"""Seconds over which the first rate is taken; of a shorter run all of them."""


def prompts_of(scenario: Scenario) -> list[Prompt]:
    """All prompts as a policy sees them."""
    prompts = scenario.prompts
    rows = [tuple(row) for row in prompts.predicted.tolist()]
    if prompts.similarity is None:
        return [Prompt(row) for row in rows]
    return [Prompt(*pair) for pair in zip(rows, prompts.similarity.tolist(), strict=True)]


def setting_of(scenario: Scenario) -> Setting:
    """What a policy knows before the first request."""
    prompts, rows = scenario.prompts, prompts_of(scenario)
    rng = np.random.default_rng(scenario.seed)
    chosen = rng.choice(len(rows), size=min(_SAMPLE, len(rows)), replace=False)
    variants = dict.fromkeys(level.variant for level in scenario.levels)
    first = max(_FIRST, scenario.interval)
    if len(scenario.arrivals):
        first = min(first, max(scenario.interval, float(scenario.arrivals[-1])))
    return Setting(
        levels=scenario.levels,
        workers=scenario.workers,
        deadline=float(scenario.deadline),
        target=scenario.target,
        qualities=tuple(prompts.truth.mean(axis=0).tolist()),
        switch_seconds=scenario.switch_seconds,
        interval=scenario.interval,
        fetch_seconds=scenario.store.fetch_seconds,
        rate=float((scenario.arrivals < first).sum() / first),
        sample=tuple(rows[i] for i in chosen),
        confidences={k: tuple(c[chosen].tolist()) for k, c in prompts.confidence.items()},
        seed=scenario.seed,
        loadouts=scenario.loadouts or tuple((v,) for v in variants),
        shed_loss=scenario.shed_loss,
    )
