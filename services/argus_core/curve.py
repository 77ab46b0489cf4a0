"""The price of a GPU second as a function of the backlog: how a burst moves prompts at once.

The backlog x of a group of workers (seconds of work, a worker) is taken for a diffusion between 0,
where GPUs idle, and the allowance, where requests must be refused. Choosing levels at price p, the
work that comes has mean λ·E[s] and variance λ·E[s²]; requests gain h(p) = E[max(q − p·s)] each. The
least sum of lost quality and refusals then obeys the Bellman equation of average reward

    p'(x) · σ²(p) / 2  =  λ·h(p) + N·p − g,      p(0) = 0,      p(allowance) = price of refusing,

(work is variance σ² = λ·E[s²] / N, N workers), which is first order in the price itself: the curve
rises from 0, lingers near the price at which work comes as fast as it is done (the plan's dual
price: the minimum of the right-hand side), and rises steeply where little room is left. g, what is
gained per second, is found by bisection on the length of the curve. After Ata, Harrison and Shepp,
"Drift rate control of a Brownian processing system" (2005).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf

import numpy as np
from numpy.typing import NDArray

from argus_core.pricing import SHED_LOSS

Floats = NDArray[np.float64]

_NODES = 72
"""Prices at which the curve is known; straight in between."""
_HALVINGS = 48
_FLAT = 1e-9
"""Of the drift: differences below this are none."""
_SEARCHED = 40.0
"""Powers of e, up and down from the greatest drift: where the loss in gain is looked for."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Flow:
    """What comes to a group of workers that hold the same variant."""

    rate: float
    """Images a second, over all levels and variants."""
    workers: int
    """1 or more."""
    qualities: Floats
    """m x L: of recent prompts, at the levels of the group's variant."""
    seconds: Floats
    """L: GPU time of one image; infinite where a level is closed."""
    outside: Floats
    """m: what each prompt is worth elsewhere, its price there taken off; minus the `loss` where
    nowhere."""
    allowance: float
    """Seconds that a request may wait and still be in time at the quickest level."""
    burstiness: float = 1.0
    """Index of dispersion of arrivals; 1 is Poisson."""
    loss: float = SHED_LOSS
    """What refusing a request costs, in quality; above any."""


@dataclass(frozen=True, kw_only=True)
class PriceCurve:
    """A price for every backlog."""

    backlogs: tuple[float, ...]
    """Seconds, rising from 0."""
    prices: tuple[float, ...]
    """In quality a GPU second, rising from 0."""

    def price(self, backlog: float) -> float:
        """At this backlog; that of refusing where there is no room any more."""
        if backlog <= 0:
            return self.prices[0]
        after = bisect_right(self.backlogs, backlog)
        if after == len(self.backlogs):
            return self.prices[-1]
        start, slope = self._lines[after - 1]
        return start + slope * backlog

    @cached_property
    def _lines(self) -> tuple[tuple[float, float], ...]:
        """Between two backlogs each: price at none, and how much more a second costs."""
        backlogs, prices = np.array(self.backlogs), np.array(self.prices)
        runs, rises = np.diff(backlogs), np.diff(prices)
        slopes = np.where(runs > 0, rises / np.where(runs > 0, runs, 1.0), 0.0)
        starts = prices[:-1] - slopes * backlogs[:-1]
        return tuple(zip(starts.tolist(), slopes.tolist(), strict=True))


def flat(price: float) -> PriceCurve:
    """The same price at every backlog."""
    return PriceCurve(backlogs=(0.0,), prices=(price,))


FREE = flat(0.0)
"""Costs nothing at any backlog: where nothing is known."""


def solve(flow: Flow) -> PriceCurve:
    """The curve for a flow; `FREE` where nothing comes or every level is closed."""
    open_levels = np.isfinite(flow.seconds)
    if not open_levels.any() or flow.rate <= 0 or not len(flow.qualities):
        return FREE
    if flow.allowance <= 0:
        return _wall(flow)
    seconds = flow.seconds[open_levels]
    prices = _nodes(flow, seconds)
    gain, mean, square = _answers(flow, seconds, prices)
    drift = flow.rate * gain + flow.workers * prices
    spread = flow.rate * (square + (flow.burstiness - 1) * mean**2) / flow.workers
    spread = np.maximum(spread, 1e-9 * flow.allowance)
    return _fitted(prices, drift, (spread[1:] + spread[:-1]) / 2, flow.allowance)


def _refusal_price(flow: Flow, seconds: Floats) -> float:
    quickest = int(seconds.argmin())
    open_qualities = flow.qualities[:, np.isfinite(flow.seconds)]
    return float((open_qualities[:, quickest].mean() + flow.loss) / seconds[quickest])


def _wall(flow: Flow) -> PriceCurve:
    """No request can wait: a price for whoever would."""
    price = _refusal_price(flow, flow.seconds[np.isfinite(flow.seconds)])
    return PriceCurve(backlogs=(0.0, 1e-9), prices=(0.0, price))


def _nodes(flow: Flow, seconds: Floats) -> Floats:
    """0, and prices from far below where the first prompts yield to that of refusing."""
    highest = _refusal_price(flow, seconds)
    usual = float(1.0 / seconds.max())
    return np.concatenate([[0.0], np.geomspace(min(1e-3 * usual, highest / 2), highest, _NODES)])


def _answers(flow: Flow, seconds: Floats, prices: Floats) -> tuple[Floats, Floats, Floats]:
    """By price: what a request gains, the mean of its seconds here, and of their squares."""
    qualities = flow.qualities[:, np.isfinite(flow.seconds)]
    net = qualities[None] - prices[:, None, None] * seconds
    taken, best = net.argmax(axis=2), net.max(axis=2)
    here = best >= flow.outside
    spent = np.where(here, seconds[taken], 0.0)
    gain = np.where(here, best, flow.outside)
    return gain.mean(axis=1), spent.mean(axis=1), (spent**2).mean(axis=1)


def _fitted(prices: Floats, drift: Floats, spread: Floats, allowance: float) -> PriceCurve:
    """The curve whose length is the allowance: the less is lost of the gain, the longer it is."""
    steps, least = np.diff(prices), float(drift.min())

    def backlogs(short: float) -> Floats:
        # Within a step the drift is straight, so that its inverse integrates to a logarithm.
        low, high = drift[:-1] - least + short, drift[1:] - least + short
        flat = np.abs(high - low) < 1e-6 * low
        ratio = np.where(flat, 2.0, high / low)
        inverse = np.where(flat, 2 / (low + high), np.log(ratio) / np.where(flat, 1, high - low))
        return np.concatenate([[0.0], np.cumsum(spread / 2 * steps * inverse)])

    scale = float(np.log(max(drift.max() - least, _FLAT * abs(drift).max())))
    lower, upper = scale - _SEARCHED, scale + _SEARCHED
    for _ in range(_HALVINGS):
        middle = (lower + upper) / 2
        if backlogs(np.exp(middle))[-1] > allowance:
            lower = middle
        else:
            upper = middle
    found = backlogs(np.exp(upper))
    # Where the queue hardly ever fills, the curve is longer than any search: it lingers at 0.
    lingers = max(0.0, allowance - found[-1])
    return PriceCurve(backlogs=(0.0, *(found + lingers).tolist()), prices=(0.0, *prices.tolist()))


def outside_options(
    qualities: Sequence[Floats],
    seconds: Sequence[Floats],
    prices: Sequence[float],
    *,
    but: int,
    loss: float = SHED_LOSS,
) -> Floats:
    """What each prompt is worth at the best level of any group `but` one.

    Where there is none it is worth what refusing it costs, taken off.

    Args:
        qualities: by group: m x L.
        seconds: by group: L.
        prices: by group; infinite where no worker holds its variant.
        but: the group left out.
        loss: what refusing a request costs, in quality.
    """
    best = np.full(len(qualities[0]), -loss)
    for group, (quality, cost, price) in enumerate(zip(qualities, seconds, prices, strict=True)):
        able = np.isfinite(cost)
        if group != but and price < inf and able.any():
            best = np.maximum(best, (quality[:, able] - price * cost[able]).max(axis=1))
    return best
