"""Two ways to find the nearest of some rows: look at all, or walk a graph.

Slots name rows; they are the caller's. Not safe for threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeVar

import numpy as np
from numkong import cdist
from numpy.typing import NDArray

try:  # noqa: SIM105 - a block that imports may go before others
    # First: loaded after usearch, onnxruntime ends the process (onnxruntime 1.32, usearch 2.26).
    import onnxruntime  # noqa: F401
except ImportError:
    pass
from usearch.index import Index

from argus_predictor.neighbours.vectors import Bytes, Floats, cosines, rounded

Slots = NDArray[np.int64]
T = TypeVar("T", bound=np.generic)

CONNECTIVITY, EFFORT_ADDING, EFFORT_FINDING = 16, 96, 128
"""Of the graph: links a row, rows considered while adding and while finding; see docs/neighbours.md
for what they are worth."""
_FEWEST = 8
"""Rows ranked anew by the query as it is, not rounded."""


class Ranked(Protocol):
    """What finds the nearest."""

    def __len__(self) -> int: ...

    def add(self, slot: int, row: Bytes) -> None:
        """Have a row be found; its slot must be free."""

    def remove(self, slot: int) -> None:
        """Have it be found no longer; it must be there."""

    def nearest(self, row: Floats, count: int) -> tuple[Slots, Floats]:
        """Slots and cosines of so many rows at most, nearest first."""


class Exact:
    """Looks at all: for some thousands of rows."""

    def __init__(self, dimensions: int) -> None:
        self._rows = np.empty((16, dimensions), np.int8)
        self._lengths = np.empty(16, np.float32)
        self._slots = np.empty(16, np.int64)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def items(self) -> Iterator[tuple[int, Bytes]]:
        """All slots and rows."""
        for at in range(self._count):
            yield int(self._slots[at]), self._rows[at]

    def add(self, slot: int, row: Bytes) -> None:
        """See `Ranked.add`."""
        if self._count == len(self._slots):
            self._rows, self._slots = _doubled(self._rows), _doubled(self._slots)
            self._lengths = _doubled(self._lengths)
        at, self._count = self._count, self._count + 1
        self._rows[at], self._slots[at] = row, slot
        self._lengths[at] = np.linalg.norm(row.astype(np.float32))

    def remove(self, slot: int) -> None:
        """See `Ranked.remove`."""
        at = int(np.flatnonzero(self._slots[: self._count] == slot)[0])
        last = self._count = self._count - 1
        for column in (self._rows, self._lengths, self._slots):
            column[at] = column[last]

    def nearest(self, row: Floats, count: int) -> tuple[Slots, Floats]:
        """See `Ranked.nearest`."""
        if not self._count:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        products = np.asarray(cdist(rounded(row)[None], self._rows[: self._count], "dot"))[0]
        near = products / self._lengths[: self._count]
        count = min(max(count, _FEWEST), self._count)
        best = np.argpartition(-near, count - 1)[:count]
        return _ranked(self._slots[best], cosines(row, self._rows[best]))


class Graph:
    """Walks a graph (HNSW): for more rows than one can look at in time."""

    def __init__(self, dimensions: int) -> None:
        self._index = Index(
            ndim=dimensions,
            metric="cos",
            dtype="i8",
            connectivity=CONNECTIVITY,
            expansion_add=EFFORT_ADDING,
            expansion_search=EFFORT_FINDING,
        )

    def __len__(self) -> int:
        return len(self._index)

    def add(self, slot: int, row: Bytes) -> None:
        """See `Ranked.add`."""
        self._index.add(slot, row, threads=1)

    def remove(self, slot: int) -> None:
        """See `Ranked.remove`."""
        self._index.remove(slot)

    def nearest(self, row: Floats, count: int) -> tuple[Slots, Floats]:
        """See `Ranked.nearest`."""
        found = self._index.search(rounded(row), max(count, _FEWEST), threads=1)
        slots = np.asarray(found.keys, np.int64)
        if not len(slots):
            return slots, np.empty(0, np.float32)
        rows = np.asarray(self._index.get(np.asarray(found.keys), dtype="i8"))
        return _ranked(slots, cosines(row, rows))


def _ranked(slots: Slots, near: Floats) -> tuple[Slots, Floats]:
    """Nearest first, ties by slot."""
    order = np.lexsort((slots, -near))
    return slots[order], near[order]


def _doubled(column: NDArray[T]) -> NDArray[T]:
    return np.concatenate([column, np.empty_like(column)])
