"""What was decided, and why: plain data, to be shown, logged and sent as `argus.v1.Plan`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from argus_core.spread import Loadout


class Solver(StrEnum):
    """Who made a plan."""

    MILP = "milp"
    """The program, solved to the stated gap or until the time was up."""
    TABLE = "table"
    """Looked up in what was solved beforehand."""
    ROUNDING = "rounding"
    """The relaxed program, rounded: no time for more."""
    SPREAD = "spread"
    """Even shares: nothing is known of the load."""
    HELD = "held"
    """The standing plan."""


@dataclass(frozen=True, kw_only=True)
class Allocation:
    """Workers of a pool that hold a loadout."""

    pool: str
    loadout: Loadout
    workers: int
    price: float
    """What one more GPU second of such a worker would be worth, in quality; at least 0."""
    utilisation: float
    """Share of their time that the plan fills, 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class Serving:
    """Share of all requests that a level serves on an allocation."""

    level: str
    pool: str
    loadout: Loadout
    share: float


@dataclass(frozen=True, kw_only=True)
class Move:
    """Workers of a pool that switch; an empty loadout is a worker that held nothing."""

    pool: str
    workers: int
    before: Loadout
    after: Loadout


@dataclass(frozen=True, kw_only=True)
class Alternative:
    """A plan that was not taken."""

    name: str
    """`hold`, `best level only`, `one worker fewer moved`, `one worker more moved`, `change`."""
    description: str
    cost: float
    """What taking it instead would have lost: mean quality over all requests, shedding at its
    stated loss; below 0 where it would gain, but less than a change must, or than the gap."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A decision that explains itself."""

    allocations: tuple[Allocation, ...]
    """By pool, then loadout, in the problem's order; none of zero workers."""
    mix: tuple[Serving, ...]
    """By level, then pool, then loadout; the shares and `expected_shed` add up to 1."""
    moves: tuple[Move, ...]
    solver: Solver
    reason: str
    """In a sentence or two."""
    rate: float
    """Images per unit of time that the plan was made for."""
    value: float
    """Mean quality over all requests, a shed one counting as minus the shed loss."""
    expected_quality: float
    """Mean over what is served, 0 to 1; 0 when nothing is."""
    expected_shed: float
    """Share of requests that no level can serve, 0 to 1."""
    switch_seconds: float
    """GPU time that the moves cost."""
    switch_charge: float
    """What they cost in `value`, over the rules' horizon."""
    gap: float | None
    """Bound on what a better plan could gain in `value`, but for 0.0001 that moving every worker
    counts against it; None where none was proven."""
    seconds: float
    """That the decision took."""
    alternatives: tuple[Alternative, ...]
