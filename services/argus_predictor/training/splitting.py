"""Which prompts are never trained on."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from argus_predictor.training.samples import Samples

_APART = 10
"""One prompt in so many."""


def kept_apart(prompt: str) -> bool:
    """Whether no training may learn from this prompt; the same everywhere and for ever."""
    digest = hashlib.sha256(prompt.strip().lower().encode()).digest()
    return int.from_bytes(digest[:8]) % _APART == 0


def held_out(samples: Samples) -> Samples:
    """Those that no head was trained on."""
    return samples.taken(_rows(samples, apart=True))


def trained_on(samples: Samples) -> Samples:
    """The others."""
    return samples.taken(_rows(samples, apart=False))


def _rows(samples: Samples, *, apart: bool) -> NDArray[np.int64]:
    found = [row for row, p in enumerate(samples.prompts) if kept_apart(p) == apart]
    return np.array(found, np.int64)
