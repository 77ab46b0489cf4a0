"""What beginning from another prompt's half-done latent leaves of a prompt's quality."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class StartModel:
    """Quality left is `1 - loss * share^power * (1 - exp(-(1 - similarity) / scale))` of the whole.

    Unless fitted, it is cautious: nothing is left once prompts are a little unlike.
    """

    loss: float = 1.0
    """Share of the quality lost by a start at the very end of an unlike picture, 0 to 1."""
    power: float = 0.3
    """How the loss grows with the share of steps skipped: late for large powers."""
    scale: float = 0.01
    """Distance, 1 - cosine, at which two thirds of the loss have come."""
    spread: float = 0.35
    """Standard deviation of what is left, where the loss has come in full."""

    def started(
        self, full: float, deviation: float, similarity: float, skipped_share: float
    ) -> tuple[float, float]:
        """Mean and standard deviation of the quality; see `Head.started`."""
        unlike = -math.expm1(-max(0.0, 1 - similarity) / self.scale)
        left = 1 - self.loss * skipped_share**self.power * unlike
        variance = (left * deviation) ** 2 + (full * self.spread * unlike) ** 2
        return min(1.0, max(0.0, full * left)), min(0.5, math.sqrt(variance))
