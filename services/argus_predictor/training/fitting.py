"""From samples to a scorer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from argus_predictor.features import Vocabulary
from argus_predictor.heads.scorer import Scorer
from argus_predictor.training import network
from argus_predictor.training.network import Recipe
from argus_predictor.training.samples import Floats, Labels, Samples

MOST_ANCHORS = 1024
_EMBEDDING_SCALE = 20.0
"""Makes an embedding's numbers, some 1/20 each at 384 dimensions, about 1."""
_FEATURE_SCALE = 1.0
_LEAST_DEVIATION = 0.1
"""Of a feature: one that is all but constant shall not be blown up."""
_NEAR, _FULLY = 0.95, 3.0
"""Strangeness begins at the distance within which so many training prompts have a neighbour, and is
1 at so many times that, or at 1/2 if that is more."""


def fit_scorer(
    samples: Samples,
    *,
    recipe: Recipe,
    seed: int = 0,
    labels: Labels | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> tuple[Vocabulary, Scorer]:
    """A scorer for these samples, and the words that it reads."""
    vocabulary = Vocabulary.learnt(samples.prompts)
    features = vocabulary.features(samples.prompts)
    centre, scale = _scaling(features, samples.embeddings)
    average = samples.targets.mean(axis=0)
    anchors = _anchors(samples.embeddings, seed)
    unfitted = Scorer(
        centre=centre,
        scale=scale,
        average=average,
        anchors=anchors,
        reach=reach_of(anchors),
        **_none(recipe, len(centre), samples.targets.shape[1]),
    )
    told = None
    if labels is not None and labels.prompts:
        rows = unfitted.rows(vocabulary.features(labels.prompts), labels.embeddings)
        told = (rows, labels)
    parameters = network.fit(
        unfitted.rows(features, samples.embeddings), samples.targets,
        recipe=recipe, seed=seed, best=samples.best, labels=told, progress=progress,
    )  # fmt: skip
    return vocabulary, replace(unfitted, **parameters)


def reach_of(anchors: Floats) -> Floats:
    """See `Scorer.reach`; anchors are at least two."""
    cosines = anchors @ anchors.T
    np.fill_diagonal(cosines, -1)
    nearest = np.maximum(1 - cosines.max(axis=1), 0)
    begin = float(np.quantile(nearest, _NEAR))
    return np.array([begin, max(0.5, _FULLY * begin)], np.float32)


def _scaling(features: Floats, embeddings: Floats) -> tuple[Floats, Floats]:
    deviation = np.maximum(features.std(axis=0), _LEAST_DEVIATION)
    dimensions = embeddings.shape[1]
    centre = np.concatenate([features.mean(axis=0), np.zeros(dimensions, np.float32)])
    scale = np.concatenate([_FEATURE_SCALE / deviation, np.full(dimensions, _EMBEDDING_SCALE)])
    return centre.astype(np.float32), scale.astype(np.float32)


def _anchors(embeddings: Floats, seed: int) -> Floats:
    if len(embeddings) <= MOST_ANCHORS:
        return embeddings
    rng = np.random.default_rng(seed)
    return embeddings[np.sort(rng.choice(len(embeddings), MOST_ANCHORS, replace=False))]


def _none(recipe: Recipe, columns: int, levels: int) -> dict[str, Floats]:
    """Arrays of networks not fitted yet."""
    shape = Scorer.shape(
        columns, levels, members=recipe.members, width=recipe.width, anchors=0, dimensions=0
    )
    names = ("hidden", "hidden_bias", "out", "out_bias")
    return {name: np.zeros(shape[name], np.float32) for name in names}
