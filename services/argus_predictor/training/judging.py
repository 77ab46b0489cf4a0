"""What predictions are worth: error, and what choosing by them gains at the same mean cost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

SHARES = (0.05, 0.9)
"""Of the way from the cheapest level's seconds to the dearest's: the mean costs looked at. Beyond
them there is nothing left to choose."""
POINTS = 40
_PRICES = np.concatenate([[0.0], np.geomspace(0.02, 50, 240)])
"""Quality per time of the dearest level."""


def chosen(qualities: Floats, seconds: Floats, price: float) -> NDArray[np.int64]:
    """By prompt: the level worth most at a price of a second."""
    return np.argmax(qualities - price * seconds, axis=1)


def costs(seconds: Floats) -> Floats:
    """Mean seconds per image at which policies are compared."""
    low, high = seconds.min(), seconds.max()
    return low + np.linspace(*SHARES, POINTS) * (high - low)


def frontier(predicted: Floats, truth: Floats, seconds: Floats, at: Floats) -> Floats:
    """True mean quality at these mean costs, when levels are chosen by the predictions.

    Between two prices a share of the prompts is chosen by the one, the rest by the other.
    """
    rows = np.arange(len(truth))
    points = {
        float(seconds[levels].mean()): float(truth[rows, levels].mean())
        for levels in (chosen(predicted, seconds, p) for p in _PRICES / seconds.max())
    }
    found = sorted(points)
    return np.interp(at, found, [points[cost] for cost in found])


def blind(means: Floats, seconds: Floats, at: Floats) -> Floats:
    """The greatest mean quality at these mean costs of a mix that does not look at prompts."""
    best = np.full(len(at), -np.inf)
    for low in range(len(seconds)):
        for high in range(len(seconds)):
            if seconds[low] < seconds[high]:
                share = (at - seconds[low]) / (seconds[high] - seconds[low])
                mixed = means[low] + share * (means[high] - means[low])
                best = np.where((share >= 0) & (share <= 1), np.maximum(best, mixed), best)
    return best


def gain(predicted: Floats, truth: Floats, seconds: Floats) -> Floats:
    """What choosing by predictions has over the best blind mix, at `costs(seconds)`."""
    at = costs(seconds)
    return frontier(predicted, truth, seconds, at) - blind(truth.mean(axis=0), seconds, at)


def worth(predicted: Floats, truth: Floats, seconds: Floats, price: float) -> float:
    """Mean of true quality less the price of its seconds."""
    levels = chosen(predicted, seconds, price)
    return float((truth[np.arange(len(truth)), levels] - price * seconds[levels]).mean())


def errors(predicted: Floats, truth: Floats, noise: Floats) -> Floats:
    """By level: root mean square error, less what is the seeds' own noise."""
    square = ((predicted - truth) ** 2 - noise).mean(axis=0)
    return np.sqrt(np.maximum(square, 0))


def coverage(
    mean: Floats, deviation: Floats, truth: Floats, noise: Floats, widths: Sequence[float]
) -> list[float]:
    """Share of the measured qualities within so many deviations of the prediction.

    The measured quality has its seeds' noise too, which is added to the deviation.
    """
    total = np.sqrt(deviation**2 + noise) + 1e-6
    off = np.abs(truth - mean) / total
    return [float((off <= width).mean()) for width in widths]
