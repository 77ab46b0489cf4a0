"""A model of what each caption's true chances at the levels are, to judge choices by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from argus_core.profile.document import ArgusProfile
from argus_predictor.training import judging

Floats = NDArray[np.floating]

_EDGE = 0.01
"""Predicted chances are kept so far from 0 and 1, where a normal spread makes no sense."""


def scores_of(profile: ArgusProfile) -> list[Floats]:
    """By prompt: [levels, seeds]."""
    levels = profile.full_levels
    return [np.array([row.scores[x] for x in levels]) for row in profile.quality.prompts]


@dataclass(frozen=True, kw_only=True)
class Truth:
    """Normal about the prediction; all covariances are in units of `width`."""

    predicted: Floats
    """[captions, levels]."""
    width: Floats
    """[captions, levels]: deviation of one picture, by its predicted chance."""
    scores: Sequence[Floats]
    between: Floats
    """[levels, levels]: covariance of the true chances about the prediction."""
    within: Floats
    """[levels, levels]: of one seed's pictures; levels share their noise."""

    @classmethod
    def fitted(cls, predicted: Floats, scores: Sequence[Floats]) -> Self:
        """Covariances by moments: of residuals, and of seeds about their mean."""
        predicted = np.clip(np.asarray(predicted, float), _EDGE, 1 - _EDGE)
        width = np.sqrt(predicted * (1 - predicted))
        scale = (width[:, :, None] * width[:, None, :]).sum(axis=0)
        noise = np.array([np.cov(s) for s in scores])
        residual = np.array([s.mean(axis=1) for s in scores]) - predicted
        own = noise / np.array([s.shape[1] for s in scores])[:, None, None]
        between = (residual[:, :, None] * residual[:, None, :] - own).sum(axis=0) / scale
        values, vectors = np.linalg.eigh(between)
        return cls(
            predicted=predicted, width=width, scores=scores,
            between=(vectors * np.maximum(values, 1e-6)) @ vectors.T,
            within=noise.sum(axis=0) / scale,
        )  # fmt: skip

    @property
    def measured(self) -> Floats:
        """Share of pictures that are right."""
        return np.array([s.mean(axis=1) for s in self.scores])

    def drawn(self, rng: np.random.Generator) -> Floats:
        """A truth for every caption, given all of its pictures."""
        counts = np.array([s.shape[1] for s in self.scores])
        mean, covariance = self._given(self.measured, counts)
        edge = 1e-9 * np.eye(covariance.shape[1])
        root = np.linalg.cholesky(covariance + edge)
        spread = (root @ rng.normal(size=(*mean.shape, 1)))[..., 0]
        return np.clip(mean + spread, 0, 1)

    def recovered(
        self, predicted: Floats, seconds: Floats, rng: np.random.Generator
    ) -> tuple[float, float, float]:
        """Share of the oracle's gain, and both gains, on a truth and a resample of captions."""
        rows = rng.integers(0, len(predicted), len(predicted))
        truth = self.drawn(rng)[rows]
        ours = float(judging.gain(predicted[rows], truth, seconds).mean())
        oracle = float(judging.gain(truth, truth, seconds).mean())
        return ours / oracle, ours, oracle

    def half_shown(
        self, predicted: Floats, seconds: Floats, rng: np.random.Generator, times: int = 12
    ) -> dict[str, float]:
        """Mean gains, judged by half of each caption's pictures.

        Of the predictions, and of an oracle who knows them and the other half of the pictures.
        """
        found = []
        for _ in range(times):
            orders = [rng.permutation(s.shape[1]) for s in self.scores]
            halves = [np.array_split(order, 2) for order in orders]
            shown, judge = (
                np.array([s[:, half[side]].mean(axis=1)
                          for s, half in zip(self.scores, halves, strict=True)])
                for side in (0, 1)
            )  # fmt: skip
            told, _ = self._given(shown, np.array([len(half[0]) for half in halves]))
            gains = [judging.gain(x, judge, seconds).mean() for x in (predicted, told)]
            found.append(gains)
        ours, oracle = np.mean(found, axis=0)
        return {"gain": float(ours), "oracle_gain": float(oracle)}

    def _given(self, seen: Floats, counts: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Mean and covariance of the truth by what so many pictures showed."""
        scale = self.width[:, :, None] * self.width[:, None, :]
        before, noise = self.between * scale, self.within * scale / counts[:, None, None]
        share = before @ np.linalg.inv(before + noise)
        mean = self.predicted + (share @ (seen - self.predicted)[..., None])[..., 0]
        return np.clip(mean, 0, 1), before - share @ before
