"""From the raw scores of images to quality: 0 to 1, relative to the best level's images.

Metrics score on scales of their own; how two levels' scores of one prompt are compared is part of
the metric. Seeds are exchangeable: where pairs matter, every image of the one is held against every
image of the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from math import exp, isfinite
from statistics import fmean

from argus_core.errors import InvalidRequest


class Comparison(StrEnum):
    """How a metric's scores of a level compare with the best level's."""

    DIFFERENCE = "difference"
    """Scores are 0 to 1, such as the share of what was asked that is there: quality is 1 less what
    is lost on average."""
    WIN = "win"
    """Scores are a preference model's: quality is twice the chance that the image is preferred to
    the best level's (Bradley and Terry, 1952), so that equals have 1."""
    SIMILARITY = "similarity"
    """Scores are 1 less the distance from the best level's image of the same seed: quality is their
    mean."""


def relative(
    comparison: Comparison,
    scores: Sequence[float],
    best: Sequence[float],
    *,
    scale: float = 1.0,
    clip: bool = True,
) -> float:
    """Quality of one prompt at a level.

    Args:
        comparison: the metric's.
        scores: of the level's images, at least one.
        best: of the best level's; not read for `SIMILARITY`.
        scale: by which a difference of scores is multiplied to be a log-odds; for `WIN`.
        clip: to 0..1. Without it the mean over many prompts of what few seeds say is true, which
            is what learning wants: DIFFERENCE then has 0..2, and WIN 0..2.

    Raises:
        InvalidRequest: scores are missing or not finite.
    """
    _require("scores", scores)
    if comparison is Comparison.SIMILARITY:
        quality = fmean(scores)
    else:
        _require("best", best)
        if comparison is Comparison.DIFFERENCE:
            quality = 1 - (fmean(best) - fmean(scores))
        else:
            quality = 2 * fmean(_preferred(scale * (s - b)) for s in scores for b in best)
    return min(1.0, max(0.0, quality)) if clip else quality


def _require(field: str, scores: Sequence[float]) -> None:
    if not scores:
        raise InvalidRequest.one(field, "must hold at least one score")
    if not all(map(isfinite, scores)):
        raise InvalidRequest.one(field, "must be finite")


def _preferred(odds: float) -> float:
    """Chance of being preferred at these log-odds."""
    return 1 / (1 + exp(-odds)) if odds > 0 else exp(odds) / (1 + exp(odds))
