"""Embeddings as they are kept: a byte a dimension, each row to its own scale.

A cosine does not mind a row's length, so every row uses all of the byte's range; what rounding
does to a cosine is then 0.0006 or so (standard deviation, 384 dimensions).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.int8]
Floats = NDArray[np.float32]
_FULL = 127.0


def read(embedding: bytes, dimensions: int) -> Floats | None:
    """An entry's embedding; None where it is not one: of another size, not finite, or zero."""
    if len(embedding) != 2 * dimensions:
        return None
    row = np.frombuffer(embedding, "<f2").astype(np.float32)
    return row if np.isfinite(row).all() and row.any() else None


def rounded(row: Floats) -> Bytes:
    """A row to its own scale; it must be finite and not zero."""
    return np.asarray(np.rint(row * (_FULL / np.abs(row).max())), np.int8)


def cosines(row: Floats, rows: Bytes) -> Floats:
    """Of a row with each of some rounded rows, -1 to 1."""
    wide = rows.astype(np.float32)
    lengths = np.sqrt(np.einsum("ij,ij->i", wide, wide))
    found = np.einsum("ij,j->i", wide, row) / (lengths * np.sqrt(row @ row))
    return np.asarray(np.clip(found, -1, 1), np.float32)
