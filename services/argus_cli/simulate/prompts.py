"""Makes up prompts around a ladder's means, where nothing was measured.

Model: a level of mean quality m has a Beta distribution over prompts with that mean and a standard
deviation of `spread` times the greatest that such a mean allows, sqrt(m (1 - m)). Levels of a
prompt go together: four fifths of what makes a prompt hard are the same at every level (a Gaussian
copula). This is a guess at how prompts differ, not a measurement.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import betaincinv, ndtr

from argus_core.simulator.scenario import Floats

SHARED = 0.8
"""Of the variance of how hard a prompt is: the part that is the same at every level."""


def drawn(means: Sequence[float], *, count: int, spread: float, rng: np.random.Generator) -> Floats:
    """Prompts by levels, 0 to 1; the means hold for infinitely many.

    Args:
        means: by level, 0 to 1.
        count: prompts.
        spread: 0 for none, below 1.
        rng: what is left to chance comes from it.
    """
    own = rng.standard_normal((count, len(means)))
    common = rng.standard_normal((count, 1))
    rank = ndtr(np.sqrt(SHARED) * common + np.sqrt(1 - SHARED) * own)
    columns = [_column(mean, rank[:, i], spread) for i, mean in enumerate(means)]
    return np.stack(columns, axis=1)


def _column(mean: float, rank: Floats, spread: float) -> Floats:
    if spread == 0 or mean in {0.0, 1.0}:
        return np.full_like(rank, mean)
    weight = 1 / spread**2 - 1
    quality: Floats = betaincinv(mean * weight, (1 - mean) * weight, rank)
    return quality
