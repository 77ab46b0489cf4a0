"""What happens in a run: arrivals, truth, predictions, times, faults. Plain data, checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from argus_core.planning.problem import LevelProfile
from argus_core.pricing import SHED_LOSS
from argus_core.spread import Loadout

Floats = NDArray[np.float64]
Ints = NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Prompts:
    """The prompts that requests draw from: what is true of each, and what a policy is told."""

    truth: Floats
    """P x L: quality of the prompt's image at the level, 0 to 1."""
    predicted: Floats
    """P x L: what policies are told of it, 0 to 1; see `argus_core.simulator.noise`."""
    similarity: Floats | None = None
    """P: cosine to the nearest cached prompt; None for 0."""
    confidence: Mapping[int, Floats] = field(default_factory=dict)
    """By level that has a discriminator: P, 0 to 1, what it says of the image once drawn."""


@dataclass(frozen=True, kw_only=True)
class Outage:
    """A stretch in which the latent store is slow, or down."""

    start: float
    end: float
    slowdown: float = inf
    """Times the usual seconds; infinite for down: every fetch is given up at the timeout."""


@dataclass(frozen=True, kw_only=True)
class Store:
    """The latent store, as fetches find it."""

    fetch_seconds: float = 0.05
    """While it is well; the worker waits for it."""
    timeout: float = 0.5
    """After which a fetch is given up, and the image drawn from noise."""
    outages: tuple[Outage, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A worker is lost, with what it draws, and comes back holding nothing."""

    worker: int
    start: float
    end: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Scenario:
    """All that a run rests on; the same for every policy. Times in seconds."""

    name: str
    levels: tuple[LevelProfile, ...]
    """The ladder, from dearest to cheapest."""
    workers: tuple[str, ...]
    """GPU type of each worker."""
    deadline: float
    """From arrival until the image is there."""
    target: float = 0.99
    """Share of requests that must meet it."""
    arrivals: Floats
    """N: when each request comes, rising, 0 or more."""
    prompt_of: Ints
    """N: each request's prompt, an index into `prompts`."""
    prompts: Prompts
    variation: float = 0.02
    """Coefficient of variation of a level's seconds, about their mean; log-normal."""
    switch_seconds: Mapping[str, float] = field(default_factory=dict)
    """By variant; 0 where not named."""
    loadouts: tuple[Loadout, ...] = ()
    """What a worker may hold; nothing named is any one variant by itself."""
    switching_share: float = 0.25
    """Share of the workers that may load at the same time; always one or more."""
    store: Store = Store()
    interval: float = 10.0
    """Between two turns of the control loop."""
    delay: float = 1.0
    """Until what it decided reaches the workers."""
    losses: tuple[Loss, ...] = ()
    shed_loss: float = SHED_LOSS
    """What refusing a request costs, in quality, as policies reckon; above any."""
    retries: int = 0
    """How often a refused client comes again, after the time it was told."""
    seed: int = 0

    @property
    def span(self) -> float:
        """Seconds from the start to the last arrival's deadline."""
        return (float(self.arrivals[-1]) if len(self.arrivals) else 0.0) + self.deadline
