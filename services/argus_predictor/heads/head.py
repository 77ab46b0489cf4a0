"""A trained head: quality of every level that begins from nothing, and of starts from latents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from argus_core.errors import InvalidRequest
from argus_predictor.features import Vocabulary
from argus_predictor.heads.ordering import ordered
from argus_predictor.heads.scorer import Scorer
from argus_predictor.heads.spread import Spread
from argus_predictor.heads.started import StartModel

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """Quality by prompt and level, both [prompts, levels] and 0 to 1."""

    mean: Floats
    deviation: Floats
    """Standard deviation of the true quality about the mean."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """Predicts; made by training, kept by `save`, had by `load`."""

    version: str
    """Tells its content from any other's."""
    levels: tuple[str, ...]
    """Those that begin from nothing, in the ladder's order."""
    encoder: str
    """Whose embeddings it reads."""
    dimensions: int
    """Of an embedding."""
    vocabulary: Vocabulary
    scorer: Scorer
    best: int | None
    """Index of the level whose score is held against the others'; None where the scorer's
    outputs are qualities themselves."""
    chains: tuple[tuple[int, ...], ...]
    """Levels, by index, each by construction at least as good as the next."""
    spread: Spread
    start_model: StartModel

    def predict(self, prompts: Sequence[str], embeddings: NDArray[np.float32]) -> Predicted:
        """Quality of every prompt at every level of `levels`.

        Args:
            prompts: at least none.
            embeddings: [prompts, dimensions], of unit length.

        Raises:
            InvalidRequest: the embeddings are not of that shape.
        """
        if embeddings.shape != (len(prompts), self.dimensions):
            expected = f"[{len(prompts)}, {self.dimensions}]"
            raise InvalidRequest.one("embeddings", f"must be {expected}, are {embeddings.shape}")
        features = self.vocabulary.features(prompts)
        outputs = self.scorer.outputs(features, embeddings)
        mean = np.clip(ordered(self.relative(outputs.values), self.chains), 0, 1)
        deviation = self.spread.deviation(mean, outputs)
        if self.best is not None:
            mean[:, self.best], deviation[:, self.best] = 1, 0
        return Predicted(mean=mean.astype(np.float32), deviation=deviation.astype(np.float32))

    def relative(self, values: Floats) -> Floats:
        """Qualities, not clipped, of the scorer's outputs."""
        return values if self.best is None else 1 - values[:, [self.best]] + values

    def started(
        self, level: str, *, full: float, deviation: float, similarity: float, skipped_share: float
    ) -> tuple[float, float]:
        """Quality of a start from another prompt's latent, and its deviation, both 0 to 1.

        Args:
            level: that begins from the latent.
            full: quality predicted for its schedule without a start.
            deviation: of that.
            similarity: cosine of the two prompts.
            skipped_share: of the steps, 0 to 1.
        """
        del level
        return self.start_model.started(full, deviation, similarity, skipped_share)
