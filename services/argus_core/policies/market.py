"""What a GPU second costs in each queue: the plan's prices, bent by the backlog.

A queue is that of one variant. Curves are solved when they are first needed, for a rate rounded
to a sixth of its double, and forgotten when what they rest on changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, inf, log2

import numpy as np

from argus_core.curve import Floats, Flow, PriceCurve, outside_options, solve
from argus_core.pricing import SHED_LOSS

_PROMPTS = 100
"""Of the sample; more tell little and cost time."""
_ROUNDING = 6
"""Rates to a doubling that are told apart."""
_ROOMS = 10
"""Shares of room that are told apart."""


class Market:
    """Prices by queue."""

    def __init__(
        self, queue_of: Sequence[int], *, deadline: float, loss: float = SHED_LOSS
    ) -> None:
        """`loss` is what refusing a request costs, in quality."""
        self._loss = loss
        self._queue_of = np.array(queue_of)
        self._queues = int(self._queue_of.max()) + 1
        self._deadline = deadline
        self._sample: Floats = np.zeros((0, len(queue_of)))
        self._seconds: Floats = np.full(len(queue_of), inf)
        self._holds = self._seconds
        self._prices = [inf] * self._queues
        self._workers = [0] * self._queues
        self._burstiness = 1.0
        self._curves: dict[tuple[int, float], tuple[PriceCurve, ...]] = {}

    def learn(
        self,
        *,
        sample: Sequence[Sequence[float]],
        prices: Sequence[float],
        workers: Sequence[int],
        burstiness: float,
    ) -> None:
        """A plan stands.

        Args:
            sample: quality of recent prompts by level.
            prices: the plan's, by queue; infinite where nobody holds the variant.
            workers: that hold the variant, by queue.
            burstiness: index of dispersion of arrivals.
        """
        self._sample = np.array(sample[-_PROMPTS:], dtype=np.float64)
        self._prices, self._workers = list(prices), list(workers)
        self._burstiness = burstiness
        self._curves.clear()

    def expect(self, costs: Sequence[float], holds: Sequence[float] | None = None) -> None:
        """What an image costs now, by level; infinite where it is closed.

        Args:
            costs: GPU seconds.
            holds: seconds for which the batch that it is in holds a worker; None where all are
                drawn one by one.
        """
        self._seconds = np.array(costs, dtype=np.float64)
        self._holds = np.array(costs if holds is None else holds, dtype=np.float64)
        self._curves.clear()

    def curves(self, rate: float, *, room: float = 1.0) -> tuple[PriceCurve, ...]:
        """By queue, at so many images a second.

        Args:
            rate: of all that come.
            room: of the time that a request may wait, how much it gets before it is refused.
        """
        bucket = round(_ROUNDING * log2(rate)) if rate > 0 else 0
        room = ceil(room * _ROOMS) / _ROOMS
        found = self._curves.get((bucket, room))
        if found is None:
            pace = 2 ** (bucket / _ROUNDING)
            found = tuple(self._solve(q, pace, room) for q in range(self._queues))
            self._curves[bucket, room] = found
        return found

    def _solve(self, queue: int, rate: float, room: float) -> PriceCurve:
        groups = [np.flatnonzero(self._queue_of == q) for q in range(self._queues)]
        qualities = [self._sample[:, group] for group in groups]
        seconds = [self._seconds[group] for group in groups]
        holds = self._holds[groups[queue]]
        own, costs = holds[np.isfinite(holds)], seconds[queue][np.isfinite(seconds[queue])]
        if not len(own) or not self._workers[queue]:
            return solve(_nothing(qualities[queue], seconds[queue]))
        return solve(
            Flow(
                rate=rate,
                workers=self._workers[queue],
                qualities=qualities[queue],
                seconds=seconds[queue],
                outside=outside_options(
                    qualities, seconds, self._prices, but=queue, loss=self._loss
                ),
                # Work comes in whole images: half of one is never spread over the workers.
                allowance=room * (self._deadline - float(own.min())) - float(costs.mean()) / 2,
                burstiness=self._burstiness,
                loss=self._loss,
            )
        )


def _nothing(qualities: Floats, seconds: Floats) -> Flow:
    return Flow(
        rate=0.0, workers=1, qualities=qualities, seconds=seconds, outside=np.zeros(0), allowance=0
    )
