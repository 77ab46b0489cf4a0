"""What every metric promises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from PIL.Image import Image

from argus_core.quality import Comparison


class Metric(Protocol):
    """Judges pictures; used by one thread at a time, off any event loop.

    Making one is cheap: weights are loaded by the first `score`.
    """

    comparison: Comparison
    """How its scores of a level compare with the best level's."""
    scale: float
    """By which a difference of scores is multiplied to be a log-odds; 1 where it means nothing."""
    needs_reference: bool
    """Whether each image is held against another, of the same size."""

    def score(
        self, prompts: Sequence[str], images: Sequence[Image], references: Sequence[Image]
    ) -> list[float]:
        """Finite scores, on the metric's own scale.

        Args:
            prompts: what each image was to show; as many as images.
            images: RGB, at least one.
            references: as many as images where the metric needs them, else none.

        Raises:
            InvalidRequest: the metric cannot judge these; fields as in `ScoreRequest`.
            NotBuilt: a package or model that it needs is not here; the message says what to do.
            Unavailable: not now, as a service it asks is out of reach.
        """
        ...
