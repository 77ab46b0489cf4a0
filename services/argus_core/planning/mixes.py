"""The best answer of all prompts to given prices, and what it bounds.

Given a price for each level (in quality, for serving all requests there), every prompt takes
the level with the greatest quality less price, or is shed. The answer is a mix: its level
shares and its mean quality. The mean of what the prompts gain is a bound on the mean quality of
every other mix: quality <= sum of price x share + gain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from argus_core.planning.program import Floats, Ints


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """What the prompts take at given prices, by group of prompts."""

    prices: Floats
    """L."""
    shares: Floats
    """Groups x L: share of all requests."""
    quality: Floats
    """Groups: part of the mean quality over all requests, shedding at minus its loss."""
    shed: Floats
    """Groups: share of all requests."""
    gain: float
    """Mean over prompts of quality less price."""


class Prompts:
    """The sampled prompts, in groups whose mixes are blended apart: the more, the fewer rounds."""

    def __init__(self, quality: Floats, *, groups: int) -> None:
        self._quality = quality
        self.groups = min(groups, len(quality))
        self.group_of: Ints = np.arange(len(quality)) % self.groups

    def answer(self, prices: Floats) -> Answer:
        """What the prompts take at these prices; infinite ones close their level."""
        m, columns = self._quality.shape
        net = self._quality.copy()
        net[:, :-1] -= prices
        taken = net.argmax(axis=1)  # of equals the first: the dearest level
        everyone = np.arange(m)
        cells = self.group_of * columns + taken
        counts = np.bincount(cells, minlength=self.groups * columns)
        table = counts.reshape(self.groups, columns) / m
        value = np.bincount(
            self.group_of, weights=self._quality[everyone, taken], minlength=self.groups
        )
        return Answer(
            prices=prices,
            shares=table[:, :-1],
            quality=value / m,
            shed=table[:, -1],
            gain=float(net[everyone, taken].mean()),
        )
