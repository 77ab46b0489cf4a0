"""How far the truth lies from a prediction, by how unlike the training prompts the prompt is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from argus_predictor.heads.shape import Shape


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The variance of the truth about a level's prediction, fitted on prompts held out.

    It is `base + room * m (1 - m) + doubt * d`, for the mean m and the scorer's own doubt d of it,
    and at most 1/4, which is all that a quality between 0 and 1 can have.
    """

    base: NDArray[np.float32]
    room: NDArray[np.float32]
    doubt: NDArray[np.float32]

    @classmethod
    def shape(cls, levels: int) -> Shape:
        """Of its arrays."""
        return {"base": (levels,), "room": (levels,), "doubt": (levels,)}

    def deviation(
        self, mean: NDArray[np.floating], doubt: NDArray[np.floating]
    ) -> NDArray[np.floating]:
        """Standard deviation by prompt and level, 0 to 1/2."""
        room = mean * (1 - mean)
        variance = self.base + self.room * room + self.doubt * doubt
        return np.sqrt(np.clip(variance, 0, 0.25))
