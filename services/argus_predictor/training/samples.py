"""What a head is trained on: prompts with a target a level, of a profile and of labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from argus_core.profile.document import ArgusProfile
from argus_core.profile.figures import quality_of

Floats = NDArray[np.float32]
Embed = Callable[[list[str]], Floats]
"""Texts to unit embeddings, [texts, dimensions]."""

DIFFERENCE = "difference"
"""The comparison that makes a quality of scores between 0 and 1 as 1 - (best - score)."""


@dataclass(frozen=True, kw_only=True)
class Label:
    """An image that was judged while serving."""

    prompt: str
    level: str
    quality: float
    """Measured, relative to the best level, 0 to 1."""
    similarity: float | None = None
    """To the prompt that its start came from; None where it began from nothing."""


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Those of levels that begin from nothing; all arrays are [labels]."""

    prompts: tuple[str, ...]
    embeddings: Floats
    levels: NDArray[np.int64]
    qualities: Floats


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Prompts that were drawn at every level that begins from nothing."""

    levels: tuple[str, ...]
    best: int | None
    """The level whose target is held against the others'; None where targets are qualities."""
    prompts: tuple[str, ...]
    embeddings: Floats
    targets: Floats
    """[prompts, levels], 0 to 1."""
    noise: Floats
    """[prompts, levels]: variance of the measured quality that is of the seeds drawn, not of the
    prompt; 0 where it is not known."""

    @property
    def qualities(self) -> Floats:
        """[prompts, levels], not clipped, so that their mean over seeds is without bias."""
        if self.best is None:
            return self.targets
        return 1 - self.targets[:, [self.best]] + self.targets

    def __len__(self) -> int:
        """Prompts."""
        return len(self.prompts)

    def taken(self, rows: NDArray[np.int64]) -> Samples:
        """Those of these rows."""
        return replace(
            self,
            prompts=tuple(self.prompts[row] for row in rows),
            embeddings=self.embeddings[rows],
            targets=self.targets[rows],
            noise=self.noise[rows],
        )


def samples_of(profile: ArgusProfile, embed: Embed) -> Samples:
    """The profile's prompts.

    Scores between 0 and 1 that are compared by their difference are targets themselves: they hold
    more than their differences do.
    """
    rows, levels = profile.quality.prompts, profile.full_levels
    prompts = tuple(row.prompt for row in rows)
    best = levels.index(profile.quality.best)
    scores = [np.array([row.scores[level] for level in levels], np.float32) for row in rows]
    absolute = (
        profile.quality.comparison == DIFFERENCE
        and profile.quality.scale == 1
        and all(bool(((row >= 0) & (row <= 1)).all()) for row in scores)
    )
    targets = (
        [row.mean(axis=1) for row in scores] if absolute
        else [_relative(profile, row, best) for row in scores]
    )  # fmt: skip
    noise = [_noise(row, best) if absolute else np.zeros(len(levels)) for row in scores]
    return Samples(
        levels=levels,
        best=best if absolute else None,
        prompts=prompts,
        embeddings=embed(list(prompts)),
        targets=np.array(targets, np.float32),
        noise=np.array(noise, np.float32),
    )


def labels_of(labels: Sequence[Label], levels: Sequence[str], embed: Embed) -> Labels:
    """Those of `levels` that began from nothing; others are passed over."""
    known = {level: column for column, level in enumerate(levels)}
    kept = [label for label in labels if label.similarity is None and label.level in known]
    prompts = [label.prompt for label in kept]
    distinct = list(dict.fromkeys(prompts))
    places = {prompt: row for row, prompt in enumerate(distinct)}
    embeddings = embed(distinct) if distinct else np.zeros((0, 0), np.float32)
    return Labels(
        prompts=tuple(prompts),
        embeddings=embeddings[[places[prompt] for prompt in prompts]],
        levels=np.array([known[label.level] for label in kept], np.int64),
        qualities=np.array([label.quality for label in kept], np.float32),
    )


def _relative(profile: ArgusProfile, scores: Floats, best: int) -> Floats:
    held = scores[best].tolist()
    return np.array([quality_of(profile, row.tolist(), held) for row in scores], np.float32)


def _noise(scores: Floats, best: int) -> Floats:
    """Of one prompt's qualities; scores are [levels, seeds]."""
    seeds = scores.shape[1]
    if seeds < 2:
        return np.zeros(len(scores), np.float32)
    return (scores - scores[best]).var(axis=1, ddof=1) / seeds
