"""The price policy's arithmetic: plain functions, the same for the router and the simulator.

A level is worth its predicted quality less what its GPU seconds cost. Between two plans the price
follows the backlog (`argus_core.curve`), so that a burst moves prompts down the ladder before any
worker has moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

NONE = -1
"""Instead of a level: none is in time."""
SHED_LOSS = 2.0
"""What refusing a request costs, in quality, where the document's `planning.shedLoss` says nothing
else: above any picture's. Plans, prices and the simulator go by the same."""


def pick(
    qualities: Sequence[float],
    seconds: Sequence[float],
    costs: Sequence[float],
    *,
    queue_of: Sequence[int],
    waits: Sequence[float],
    prices: Sequence[float],
    remaining: float,
    minimum_quality: float = 0.0,
) -> int:
    """The level that is worth most, of those in time; `NONE` where there is none.

    Args:
        qualities: predicted, by level, 0 to 1.
        seconds: by level, from the start of an image to its end; infinite where it is closed.
        costs: by level, GPU seconds of an image: fewer than that where batches gain.
        queue_of: by level, where it waits: an index into the next two.
        waits: by queue, seconds until a request would begin.
        prices: by queue, of a GPU second, in quality.
        remaining: seconds until the deadline.
        minimum_quality: below it nothing is taken.

    Of levels worth the same the first, the dearer, wins.
    """
    best, taken, level = -inf, NONE, 0
    for quality, takes, cost, queue in zip(qualities, seconds, costs, queue_of, strict=True):
        if waits[queue] + takes <= remaining and quality >= minimum_quality:
            worth = quality - prices[queue] * cost
            if worth > best:
                best, taken = worth, level
        level += 1  # noqa: SIM113 - in the simulator's innermost loop, and twice as fast
    return taken
