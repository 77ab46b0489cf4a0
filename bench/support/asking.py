"""Captions asked for at random moments."""

from __future__ import annotations

import random

import numpy as np

from argus_cli.load.sending import Sending
from argus_client import Order
from argus_core.simulator.arrivals import poisson
from argus_shapes.captions import sample

PROMPTS = 200
"""That come back, so that a predictor remembers their embeddings after the first time."""


def sendings(rate: float, seconds: float, *, seed: int, deadline: float) -> list[Sending]:
    """So many a second, among a few prompts."""
    rng, captions = np.random.default_rng(seed), random.Random(seed)
    texts = [sample(captions).caption for _ in range(PROMPTS)]
    chosen = rng.integers(0, PROMPTS, 2 * int(rate * seconds) + 100)
    return [
        Sending(at=float(at), prompt=int(i), order=order(texts[i], deadline))
        for at, i in zip(poisson(np.array([rate]), seconds, rng), chosen, strict=False)
    ]


def order(prompt: str, deadline: float) -> Order:
    """For a picture, and no story."""
    return Order(prompt=prompt, deadline=deadline, progress=False)
