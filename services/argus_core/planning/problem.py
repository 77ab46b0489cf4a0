"""What a plan is made from: plain data, checked once by `check.require_valid`.

Times are in one unit throughout; any will do, since scaling all of them changes nothing but the
unit of the prices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from argus_core.pricing import SHED_LOSS
from argus_core.spread import Loadout


@dataclass(frozen=True, kw_only=True)
class LevelProfile:
    """A level as the plan sees it."""

    name: str
    variant: str
    """What a worker must hold to serve it."""
    seconds: Mapping[str, float]
    """GPU seconds that one image costs, by GPU type; as measured lately, or else the spec's."""
    batches: tuple[float, ...] = (1.0,)
    """Time of a batch of 1, 2, ... images, relative to one alone: rising from 1, never beyond the
    number of images. A batch gains where its entry is below that number."""
    needs_start: bool = False
    """Whether it begins from a cached latent."""


@dataclass(frozen=True, kw_only=True)
class PoolBudget:
    """A pool: its size is never exceeded."""

    name: str
    gpu_type: str
    workers: int
    """The pool's size."""
    loadouts: tuple[Loadout, ...]
    """What a worker may hold, by preference; `loadouts.maximal_loadouts` finds them."""
    unavailable: int = 0
    """Workers that serve nothing soon: failed, stopping, missing."""
    pinned: Mapping[Loadout, int] = field(default_factory=dict)
    """Workers that must hold a loadout whatever the load."""

    @property
    def available(self) -> int:
        """Workers that can be planned with."""
        return self.workers - self.unavailable


@dataclass(frozen=True, kw_only=True)
class Holding:
    """What available workers hold or have been assigned: the standing plan as it is."""

    pool: str
    loadout: Loadout
    workers: int


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How many workers of all pools hold a variant."""

    minimum: int = 0
    """Kept as far as the available workers allow; a shortfall is told."""
    maximum: int | None = None
    """Never exceeded; None for no bound."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How plans are judged. All shares and gains are in mean quality over all requests."""

    deadline: float
    """From arrival until the image is there: the SLO."""
    target: float = 0.99
    """Share of requests that must meet it, between 0 and 1."""
    horizon: float = 300.0
    """A plan's expected life: what a switch costs must be won back within it."""
    shed_loss: float = SHED_LOSS
    """What refusing a request costs; above 1, so that any level is better than none."""
    minimum_gain: float = 0.005
    """What a new plan must gain over the standing one; smaller gains are within the noise."""
    doubt: float = 2.0
    """Standard errors of the sample by which it must gain besides: other prompts will come."""
    burst_chance: float = 0.05
    """That the burst comes within a plan's life, 0 to 1."""
    stale_after: float = 60.0
    """Age of the load's figures from which the standing plan is held."""
    gap: float = 1e-4
    """Distance from the proven optimum that is good enough."""
    time_limit: float = 0.4
    """Seconds of the clock for the search; then the best known plan or a heuristic serves."""


@dataclass(frozen=True, kw_only=True)
class PlanProblem:
    """All that one decision rests on."""

    rules: Rules
    levels: tuple[LevelProfile, ...]
    """The ladder, from dearest to cheapest."""
    pools: tuple[PoolBudget, ...]
    qualities: Sequence[Sequence[float]]
    """Recent prompts by level, in the ladder's order, 0 to 1; a uniform sample of what comes."""
    rate: float
    """Images asked for per unit of time: the forecast."""
    burstiness: float = 1.0
    """Squared coefficient of variation of the gaps between arrivals; 1 is Poisson."""
    burst: float = 0.0
    """Images asked for per unit of time in the greatest burst of late: what the workers should be
    able to carry, if only at their quickest levels. 0 where none is expected."""
    service_variation: float = 0.0
    """Squared coefficient of variation of a level's seconds."""
    standing: tuple[Holding, ...] = ()
    switch_seconds: Mapping[str, float] = field(default_factory=dict)
    """GPU time lost when a worker loads a variant; 0 where not named."""
    limits: Mapping[str, Limits] = field(default_factory=dict)
    """By variant."""
    load_age: float = 0.0
    """Since the load was last reported."""

    @property
    def variants(self) -> tuple[str, ...]:
        """Variants that levels name, in the ladder's order."""
        return tuple(dict.fromkeys(level.variant for level in self.levels))
