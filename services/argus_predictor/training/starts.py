"""Fits what a start from another prompt's latent leaves of the quality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from argus_core.latents import in_full
from argus_core.profile.document import ArgusProfile, ProfiledLevel, Start
from argus_core.profile.figures import quality_of
from argus_predictor.heads.started import StartModel
from argus_predictor.training.samples import Embed, Floats

LEAST = 60
"""Starts below which nothing is fitted."""


@dataclass(frozen=True, kw_only=True)
class Started:
    """An image or more that began from a latent."""

    full: float
    """Quality of the same schedule without a start, 0 to 1."""
    quality: float
    similarity: float
    skipped_share: float


def started_of(profile: ArgusProfile, embed: Embed) -> list[Started]:
    """The profile's starts of prompts that it drew in full too."""
    rows = {row.prompt: row for row in profile.quality.prompts}
    levels = {level.name: level for level in profile.ladder}
    starts = [s for s in profile.starts if s.prompt in rows and _whole(profile, levels[s.level])]
    found = []
    for start, similarity in zip(starts, _similarities(starts, embed), strict=True):
        level, scores = levels[start.level], rows[start.prompt].scores
        best = scores[profile.quality.best]
        found.append(
            Started(
                full=quality_of(profile, scores[_whole(profile, level)], best),
                quality=quality_of(profile, start.scores, best),
                similarity=similarity,
                skipped_share=level.skipped_steps / level.steps,
            )
        )
    return found


def _whole(profile: ArgusProfile, level: ProfiledLevel) -> str:
    """The level of the same schedule that skips nothing; empty where there is none."""
    whole = in_full(level, profile.ladder)
    return whole.name if whole else ""


def fit_starts(starts: Sequence[Started]) -> StartModel:
    """By least squares over a grid; the cautious one where there are too few, or none is unlike."""
    if len(starts) < LEAST:
        return StartModel()
    full, quality, similarity, share = (
        np.array([getattr(start, name) for start in starts])
        for name in ("full", "quality", "similarity", "skipped_share")
    )
    best: tuple[float, StartModel] | None = None
    for power, scale in product((0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5), np.geomspace(0.001, 0.3, 16)):
        unlike = 1 - np.exp(-np.maximum(0, 1 - similarity) / scale)
        lost = full * share**power * unlike
        if not (lost @ lost):
            continue
        loss = float(np.clip(lost @ (full - quality) / (lost @ lost), 0, 1))
        error = quality - full + loss * lost
        weight = full * unlike
        spread = float(np.sqrt((error**2).sum() / max((weight**2).sum(), 1e-9)))
        model = StartModel(loss=loss, power=power, scale=float(scale), spread=min(spread, 0.5))
        if best is None or (error**2).sum() < best[0]:
            best = float((error**2).sum()), model
    return StartModel() if best is None else best[1]


def _similarities(starts: Sequence[Start], embed: Embed) -> list[float]:
    """As measured, or by the encoder where they were not."""
    texts = list(dict.fromkeys(text for s in starts for text in (s.prompt, s.origin)))
    vectors: Floats = embed(texts) if texts else np.zeros((0, 0), np.float32)
    places = {text: row for row, text in enumerate(texts)}
    return [
        s.similarity or float(vectors[places[s.prompt]] @ vectors[places[s.origin]]) for s in starts
    ]
