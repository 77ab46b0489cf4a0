"""Other ways of predicting quality, that the networks are held against.

Each learns from some samples and tells the qualities of others, not clipped: [prompts, levels].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.linear_model import RidgeCV
from sklearn.neighbors import KNeighborsRegressor

from argus_predictor.features import Vocabulary
from argus_predictor.training.fitting import fit_scorer
from argus_predictor.training.network import Recipe
from argus_predictor.training.samples import Floats, Samples

Family = Callable[[Samples, Samples], Floats]

_PENALTIES = np.logspace(-2, 4, 13)


def mean(train: Samples, test: Samples) -> Floats:
    """What the level's mean is, for every prompt."""
    return np.repeat(train.qualities.mean(axis=0, keepdims=True), len(test), axis=0)


def ridge_on_length(train: Samples, test: Samples) -> Floats:
    """By the number of words alone."""
    model = RidgeCV(_PENALTIES).fit(_features(train, train)[:, :1], train.qualities)
    return np.asarray(model.predict(_features(train, test)[:, :1]), np.float32)


def nearest(train: Samples, test: Samples) -> Floats:
    """The mean of the ten nearest training prompts by their embeddings."""
    near = KNeighborsRegressor(min(10, len(train))).fit(train.embeddings, train.qualities)
    return np.asarray(near.predict(test.embeddings), np.float32)


def ridge(train: Samples, test: Samples) -> Floats:
    """Linear in embedding and features."""
    model = RidgeCV(_PENALTIES).fit(_all(train, train), train.qualities)
    return np.asarray(model.predict(_all(train, test)), np.float32)


def trees(train: Samples, test: Samples) -> Floats:
    """Gradient boosting over the features."""
    rows, asked = _features(train, train), _features(train, test)
    columns = [
        HistGradientBoostingRegressor(
            max_iter=60, learning_rate=0.1, max_leaf_nodes=8, min_samples_leaf=8, random_state=0
        )
        .fit(rows, column)
        .predict(asked)
        for column in train.qualities.T
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def gaussian_process(train: Samples, test: Samples) -> Floats:
    """Over the embedding; length and noise are what the likelihood said of the small family."""
    offset = train.qualities.mean(axis=0)
    kernel = 0.05 * RBF(1.0) + WhiteKernel(0.02)
    model = GaussianProcessRegressor(kernel, optimizer=None).fit(
        train.embeddings, train.qualities - offset
    )
    return np.asarray(model.predict(test.embeddings) + offset, np.float32)


def networks(train: Samples, test: Samples) -> Floats:
    """What heads are made of."""
    vocabulary, scorer = fit_scorer(train, recipe=Recipe())
    values = scorer.outputs(vocabulary.features(test.prompts), test.embeddings).values
    return values if train.best is None else 1 - values[:, [train.best]] + values


BASELINES: Mapping[str, Family] = {
    "mean per level": mean,
    "ridge on length": ridge_on_length,
    "nearest neighbours": nearest,
}
"""Quick ones, of every training's report."""

ALL: Mapping[str, Family] = {
    **BASELINES,
    "ridge": ridge,
    "trees": trees,
    "Gaussian process": gaussian_process,
    "networks": networks,
}


def _features(train: Samples, asked: Samples) -> Floats:
    return Vocabulary.learnt(train.prompts).features(asked.prompts)


def _all(train: Samples, asked: Samples) -> Floats:
    features, own = _features(train, asked), _features(train, train)
    scaled = (features - own.mean(axis=0)) / (own.std(axis=0) + 0.1)
    return np.concatenate([scaled, 8 * asked.embeddings], axis=1)
