"""What an honest predictor would say of prompts: noisy, calibrated, and never the truth.

Model: of each prompt and level the predictor sees the truth's rank among all prompts through
Gaussian noise, and says the mean truth of prompts that look so. Hence nothing ever needs to be
clipped: a mean of truths lies between 0 and 1, and is right on average for whatever is said, so
that the truth regressed on the prediction has slope 1. The noise is set so that the correlation
comes out as asked. It is so over many prompts; a small number scatters about it.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import NormalDist

import numpy as np

from argus_core.errors import InvalidRequest, Violation
from argus_core.simulator.scenario import Floats, Ints

_REACH = 5.0
"""Standard deviations of a normal distribution that are looked at; rare prompts weigh much."""
_POINTS = 201
"""Equally spaced, that stand for it."""
_HALVINGS = 30
"""Of the interval in which the signal's strength is sought."""
_ALIKE = 1e-9
"""Qualities that differ by less do not differ."""


def predicted(
    truth: Floats, *, correlation: float, shared: float = 0.8, rng: np.random.Generator
) -> Floats:
    """What a calibrated predictor would say of prompts.

    Args:
        truth: P x L, quality of each prompt at each level, 0 to 1.
        correlation: Pearson's, over prompts, between truth and prediction of a level, 0 to 1. At
            0 every prompt is predicted the level's mean, at 1 the truth.
        shared: share of the noise's variance that the levels of a prompt have in common, 0 to 1.
        rng: the noise comes from it.

    Returns:
        P x L, 0 to 1. A level at which all prompts are alike is predicted as it is.

    Raises:
        InvalidRequest: naming every field that is wrong.
    """
    violations = [Violation(field, why) for field, why in _wrong(truth, correlation, shared)]
    if violations:
        raise InvalidRequest(violations)
    prompts, levels = truth.shape
    own = rng.standard_normal((prompts, levels))
    common = rng.standard_normal((prompts, 1))
    noise = np.sqrt(shared) * common + np.sqrt(1 - shared) * own
    ties = rng.permutation(prompts)
    scores = _normal(prompts)
    columns = [_column(truth[:, i], noise[:, i], correlation, ties, scores) for i in range(levels)]
    return np.stack(columns, axis=1)


def _wrong(truth: Floats, correlation: float, shared: float) -> Iterator[tuple[str, str]]:
    if truth.ndim != 2 or not truth.size:
        yield "truth", f"must be prompts by levels, one or more each, not of shape {truth.shape}"
    elif not ((truth >= 0) & (truth <= 1)).all():  # NaN is refused with the rest
        yield "truth", "must be 0 to 1 throughout"
    if not 0 <= correlation <= 1:
        yield "correlation", f"must be 0 to 1, not {correlation}"
    if not 0 <= shared <= 1:
        yield "shared", f"must be 0 to 1, not {shared}"


def _column(truth: Floats, noise: Floats, correlation: float, ties: Ints, scores: Floats) -> Floats:
    """One level; `ties` orders prompts of equal truth, by lot."""
    if np.ptp(truth) < _ALIKE or correlation == 1:
        return truth.copy()
    if correlation == 0:
        return np.full_like(truth, truth.mean())
    order = np.lexsort((ties, truth))
    score = np.empty_like(truth)
    score[order] = scores
    meaning = _Meaning(truth[order], scores)
    strength = meaning.strength(correlation)
    signal = strength * score + np.sqrt(1 - strength**2) * noise
    return meaning.at(signal, strength)


class _Meaning:
    """What a signal tells of the truth: `strength` times the score, and noise for the rest."""

    def __init__(self, rising: Floats, scores: Floats) -> None:
        self._rising, self._scores = rising, scores
        self._grid = np.linspace(-_REACH, _REACH, _POINTS)
        density = np.exp(-(self._grid**2) / 2)
        self._weights = density / density.sum()
        self._spread = self._spread_of(self._table(1.0))

    def at(self, signal: Floats, strength: float) -> Floats:
        """Mean truth of prompts with each signal."""
        return np.interp(signal, self._grid, self._table(strength))

    def strength(self, correlation: float) -> float:
        """The strength at which the means correlate with the truth so well; by halving."""
        low, high = 0.0, 1.0
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            # A calibrated prediction correlates as its spread is to the truth's.
            reached = self._spread_of(self._table(middle)) / self._spread
            low, high = (middle, high) if reached < correlation else (low, middle)
        return (low + high) / 2

    def _table(self, strength: float) -> Floats:
        """Mean truth at each signal of the grid."""
        rest = np.sqrt(1 - strength**2)
        scores = strength * self._grid[:, None] + rest * self._grid
        means: Floats = np.interp(scores, self._scores, self._rising) @ self._weights
        return means

    def _spread_of(self, values: Floats) -> float:
        """Standard deviation of what is said at the signals of the grid."""
        mean = self._weights @ values
        return float(np.sqrt(self._weights @ (values - mean) ** 2))


def _normal(count: int) -> Floats:
    """So many points of equal weight, rising, that stand for a standard normal distribution."""
    inverse = NormalDist().inv_cdf
    return np.array([inverse((i + 0.5) / count) for i in range(count)])
