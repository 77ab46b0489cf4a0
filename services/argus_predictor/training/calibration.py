"""How far off a head is on prompts that it was not trained on, and the spread fitted to that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from argus_predictor.features import tokens
from argus_predictor.heads.scorer import Outputs
from argus_predictor.heads.spread import Spread
from argus_predictor.training.fitting import fit_scorer
from argus_predictor.training.network import Recipe
from argus_predictor.training.samples import Floats, Samples

FOLDS = 5
WORDS = 4
"""Common words of which all prompts are left out once, to see prompts unlike those of training."""
_COMMON = (0.05, 0.35)
"""Share of the prompts that such a word is in."""

Rows = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Unseen:
    """Prompts as predicted by scorers that were not trained on them."""

    samples: Samples
    outputs: Outputs


def out_of_fold(
    samples: Samples, *, recipe: Recipe, seed: int, progress: Callable[[float], None]
) -> Unseen:
    """Every prompt, predicted by training on four fifths of the others."""
    order = np.random.default_rng(seed).permutation(len(samples))
    folds = [np.sort(fold) for fold in np.array_split(order, FOLDS)]
    parts = list(_left_out(samples, folds, recipe, seed, progress))
    return _joined(samples, folds, parts)


def without_words(
    samples: Samples, *, recipe: Recipe, seed: int, progress: Callable[[float], None]
) -> Unseen | None:
    """Prompts with a common word, predicted by training on those without it; None without any."""
    groups = [_with_word(samples, word) for word in common_words(samples)]
    if not groups:
        return None
    parts = list(_left_out(samples, groups, recipe, seed, progress))
    rows = np.concatenate(groups)
    return Unseen(samples=samples.taken(rows), outputs=_stacked(parts))


def common_words(samples: Samples) -> list[str]:
    """The most common words that few enough prompts have, ties by the alphabet."""
    counts = Counter(word for prompt in samples.prompts for word in set(tokens(prompt)))
    low, high = (share * len(samples) for share in _COMMON)
    fit = [word for word, count in counts.items() if low <= count <= high and word.isalpha()]
    return sorted(fit, key=lambda word: (-counts[word], word))[:WORDS]


def fit_spread(samples: Samples, found: Unseen, foreign: Unseen | None) -> Spread:
    """Terms, none negative, that are right for the variance of the truth on average.

    Strangeness adds at least the spread of a level's qualities over prompts, as a prompt unlike
    all others may be any of them.
    """
    both = [found] if foreign is None else [found, foreign]
    qualities = samples.qualities
    apart = np.maximum(qualities.var(axis=0) - samples.noise.mean(axis=0), 1e-4)
    terms = np.array([_terms(both, level) for level in range(len(samples.levels))], np.float32)
    base, room, doubt, strange = terms.T
    return Spread(base=base, room=room, doubt=doubt, strange=np.maximum(strange, 1.5 * apart))


def no_spread(levels: int) -> Spread:
    """That of a head not calibrated yet."""
    none = np.zeros(levels, np.float32)
    return Spread(base=none, room=none, doubt=none, strange=none)


def relative(samples: Samples, values: Floats) -> Floats:
    """Qualities of outputs, clipped."""
    raw = values if samples.best is None else 1 - values[:, [samples.best]] + values
    return np.clip(raw, 0, 1)


def _terms(both: list[Unseen], level: int) -> Floats:
    columns, wanted, weights = [], [], []
    for unseen in both:
        mean = relative(unseen.samples, unseen.outputs.values)[:, level]
        error = unseen.samples.qualities[:, level] - mean
        strange, doubt = unseen.outputs.strangeness, unseen.outputs.doubt[:, level]
        columns.append(np.stack([np.ones_like(mean), mean * (1 - mean), doubt, strange], axis=1))
        wanted.append(error**2 - unseen.samples.noise[:, level])
        weights.append(np.full(len(mean), 1 / np.sqrt(len(mean))))
    weight = np.concatenate(weights)
    found, _ = nnls(np.concatenate(columns) * weight[:, None], np.concatenate(wanted) * weight)
    return np.asarray(found, np.float32)


def _left_out(
    samples: Samples,
    groups: list[Rows],
    recipe: Recipe,
    seed: int,
    progress: Callable[[float], None],
) -> Iterator[Outputs]:
    for number, rows in enumerate(groups):
        rest = np.setdiff1d(np.arange(len(samples)), rows)
        vocabulary, scorer = fit_scorer(samples.taken(rest), recipe=recipe, seed=seed + number)
        left = samples.taken(rows)
        yield scorer.outputs(vocabulary.features(left.prompts), left.embeddings)
        progress((number + 1) / len(groups))


def _with_word(samples: Samples, word: str) -> Rows:
    return np.array([row for row, p in enumerate(samples.prompts) if word in tokens(p)], np.int64)


def _stacked(parts: list[Outputs]) -> Outputs:
    return Outputs(
        values=np.concatenate([part.values for part in parts]),
        doubt=np.concatenate([part.doubt for part in parts]),
        strangeness=np.concatenate([part.strangeness for part in parts]),
    )


def _joined(samples: Samples, folds: list[Rows], parts: list[Outputs]) -> Unseen:
    order = np.argsort(np.concatenate(folds))
    stacked = _stacked(parts)
    return Unseen(
        samples=samples,
        outputs=replace(
            stacked,
            values=stacked.values[order],
            doubt=stacked.doubt[order],
            strangeness=stacked.strangeness[order],
        ),
    )
