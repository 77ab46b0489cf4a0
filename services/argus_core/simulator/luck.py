"""The luck of a run: drawn beforehand, by request, so that all policies meet the same."""

from __future__ import annotations

import numpy as np

from argus_core.simulator.scenario import Floats, Scenario


def luck_of(scenario: Scenario) -> Floats:
    """By request: what a draw that it heads takes, relative to the mean; log-normal of mean 1."""
    sigma = float(np.sqrt(np.log1p(scenario.variation**2)))
    normal = np.random.default_rng(scenario.seed).standard_normal(len(scenario.arrivals))
    return np.asarray(np.exp(sigma * normal - sigma**2 / 2))
