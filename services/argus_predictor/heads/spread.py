"""How far the truth lies from a prediction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from argus_predictor.heads.scorer import Floats, Outputs
from argus_predictor.heads.shape import Shape


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The variance of the truth about a prediction, fitted on prompts held out; [levels] each.

    It is `base + room * m (1 - m) + doubt * d + strange * s`, for the mean m, the variance d of the
    networks' outputs, and the prompt's strangeness s.
    """

    base: Floats
    room: Floats
    doubt: Floats
    strange: Floats

    @classmethod
    def shape(cls, levels: int) -> Shape:
        """Of its arrays."""
        return dict.fromkeys(("base", "room", "doubt", "strange"), (levels,))

    def deviation(self, mean: Floats, outputs: Outputs) -> Floats:
        """Standard deviation by prompt and level; at most 1/2, all that 0 to 1 leaves room for."""
        variance = self.base + self.room * mean * (1 - mean) + self.doubt * outputs.doubt
        variance += self.strange * outputs.strangeness[:, None]
        return np.sqrt(np.clip(variance, 0, 0.25))
