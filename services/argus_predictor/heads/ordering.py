"""Keeps predictions in the order that levels have by construction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def ordered(
    qualities: NDArray[np.floating], chains: Sequence[Sequence[int]]
) -> NDArray[np.floating]:
    """The nearest qualities in which no level of a chain is below a later one of it.

    Where a prediction has it the other way round, both become their mean (isotonic regression).

    Args:
        qualities: [prompts, levels].
        chains: of level indices, best first.
    """
    found = qualities.copy()
    for chain in chains:
        columns = qualities[:, list(chain)]
        for place, level in enumerate(chain):
            # The min-max formula of isotonic regression; chains are a few levels long.
            found[:, level] = np.min(
                [_best_mean(columns, first, place) for first in range(place + 1)], axis=0
            )
    return found


def _best_mean(columns: NDArray[np.floating], first: int, place: int) -> NDArray[np.floating]:
    lasts = range(place, columns.shape[1])
    return np.max([columns[:, first : last + 1].mean(axis=1) for last in lasts], axis=0)
