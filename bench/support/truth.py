"""A truth for prompts of which averages alone are published, and what would be predicted of them.

The loss of a prompt at a level, 1 less its quality, is the level's mean loss, times a factor of
the prompt that is the same at all levels, times a smaller one of its own at each; both log-normal
of mean 1. Losses beyond 1 are cut, and each level's are scaled so that its mean is exact
nevertheless. The predictor sees the prompt's factor off by another log-normal factor, and says
the mean loss of prompts that look so: it is calibrated, errs at all levels alike, and knows
nothing of the factor that a level has of its own, unless it is told to.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr

from argus_core.simulator.scenario import Floats

ERROR = 0.7
"""Standard deviation of the logarithm of what the predictor's signal is off by."""

_HALVINGS = 60
_SURE = 1e-9
"""A log-normal of a smaller spread is a number."""


def lognormal(
    means: Sequence[float],
    prompts: int,
    *,
    spread: float,
    own: float,
    error: float = ERROR,
    sees_own: bool = False,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Truth and predictions, prompts by levels, 0 to 1.

    Args:
        means: quality of each level over all prompts, above 0; they come out exactly.
        prompts: how many.
        spread: standard deviation of the logarithm of the prompt's factor.
        own: likewise of the factor that a level has of its own.
        error: likewise of the predictor's error.
        sees_own: whether the predictor sees the levels' own factors too, as far off.
        rng: what is left to chance comes from it.
    """
    wanted = 1 - np.asarray(means, dtype=np.float64)
    prompt = spread * rng.standard_normal((prompts, 1)) - spread**2 / 2
    level = own * rng.standard_normal((prompts, len(wanted))) - own**2 / 2
    factor = np.exp(prompt + level)
    scale = np.array([_scale(factor[:, i], loss) for i, loss in enumerate(wanted)])
    cut = 1 - np.minimum(1.0, scale * factor)
    signal = prompt + level if sees_own else prompt
    seen = signal + error * rng.standard_normal((prompts, 1))
    known, hidden = (spread**2 + own**2, 0.0) if sees_own else (spread**2, own**2)
    return cut, 1 - _expected(scale, seen, known=known, hidden=hidden, error=error**2)


def _scale(factor: Floats, loss: float) -> float:
    """By which to multiply factors so that their mean, cut at 1, is the loss; by halving."""
    if loss <= 0:
        return 0.0
    low, high = 0.0, 1.0
    while np.minimum(1.0, high * factor).mean() < loss:
        high *= 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        reached = np.minimum(1.0, middle * factor).mean()
        low, high = (middle, high) if reached < loss else (low, middle)
    return (low + high) / 2


def _expected(scale: Floats, seen: Floats, *, known: float, hidden: float, error: float) -> Floats:
    """Mean loss, prompts by levels, of prompts whose factor looks as seen; by variances."""
    weight = known / (known + error) if known > 0 else 0.0
    middle = -known / 2 + weight * (seen + known / 2)
    with np.errstate(divide="ignore"):
        return _cut_mean(
            np.log(scale) + middle - hidden / 2, float(np.sqrt(weight * error + hidden))
        )


def _cut_mean(middle: Floats, spread: float) -> Floats:
    """Mean of a log-normal number, cut at 1."""
    spread = max(spread, _SURE)
    below = np.exp(middle + spread**2 / 2) * ndtr(-middle / spread - spread)
    return np.asarray(below + ndtr(middle / spread))
