"""What nobody can beat: an upper bound on the mean quality of any policy, and its price path.

Sell GPU seconds at prices that vary over time. Whatever a policy does, a request that is served
in time brings its quality less the price of its GPU seconds, at most what its best level brings
at the lowest price of its life; and no policy uses more GPU seconds than there are. So, for any
prices, mean quality <= (sum of those best gains + price of all GPU seconds) / requests (weak
duality). The prices that make this least are found by cutting planes; they are what a GPU second
was worth to one who knew all that would come, luck included.

What the bound forgives, and so what makes it higher than anything attainable: a request may be
drawn in pieces; workers hold everything and never load; they need not be whole; a batch finds its
company; a fetch always finds the store well, unless that is down for the request's whole life.
What it keeps: deadlines, each request's luck, each GPU type's own seconds and price, the gains
that profiles say batches have, losses of workers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil

import numpy as np

from argus_core.planning.skeleton import INFINITE, RowWriter, new_solver
from argus_core.simulator.check import require_valid
from argus_core.simulator.demand import Bids, Demand, Grid, demand_of
from argus_core.simulator.scenario import Floats, Ints, Scenario

_PER_LIFE = 8
"""Bins from a request's arrival to its deadline, where the run is not too long for it."""
_FIRST_PRICES = (0.0, 0.05, 0.1, 0.2, 0.4, 0.7)
"""Relative to the highest that anyone would pay: where the search begins."""
_VIOLATED = 1e-9
"""By which a cut must be violated to be worth adding."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Bound:
    """What nobody can beat."""

    quality: float
    """No policy's mean over all requests, of true quality where delivered within the deadline of
    the first arrival and 0 elsewhere, exceeds this."""
    gap: float
    """By how much other prices on the same bins could lower it, at most."""
    step: float
    """Seconds of a bin; bins begin at 0."""
    prices: Mapping[str, Floats]
    """By GPU type, by bin: quality of one request for a GPU second."""
    rounds: int
    """That the search took."""
    seconds: float
    """That it took, on the caller's clock."""


def upper_bound(
    scenario: Scenario,
    *,
    clock: Callable[[], float],
    bins: int = 3000,
    gap: float = 1e-4,
    rounds: int = 40,
) -> Bound:
    """The least bound that prices on so many bins give.

    Args:
        scenario: what happens; `retries` bring nobody nearer to a first deadline.
        clock: seconds; tells how long it took.
        bins: at most; fewer are quicker, and loosen the bound, but it always holds.
        gap: mean quality that a better search could still take off.
        rounds: of the search, at most.

    Raises:
        InvalidRequest: naming every field of the scenario that is wrong.
    """
    started = clock()
    require_valid(scenario)
    step = max(scenario.deadline / _PER_LIFE, scenario.span / bins)
    grid = Grid(step=step, count=max(1, ceil(scenario.span / step - 1e-9)))
    demand = demand_of(scenario, grid)
    supply = _supply(scenario, demand.types, grid)
    search = _Search(demand, supply)
    requests = len(scenario.arrivals)
    for _ in range(rounds):
        if search.highest - search.lowest <= gap * requests:
            break
        search.turn()
    return Bound(
        quality=search.highest / requests,
        gap=max(0.0, search.highest - search.lowest) / requests,
        step=step,
        prices=dict(zip(demand.types, search.prices, strict=True)),
        rounds=search.turns,
        seconds=clock() - started,
    )


def _supply(scenario: Scenario, types: tuple[str, ...], grid: Grid) -> Floats:
    """Types by bins: GPU seconds that there are."""
    edges = np.minimum(np.arange(grid.count + 1) * grid.step, scenario.span)
    edges[-1] = scenario.span
    width = np.diff(edges)
    supply = np.stack([scenario.workers.count(gpu_type) * width for gpu_type in types])
    for loss in scenario.losses:
        missing = np.diff(np.clip(edges, loss.start, loss.end))
        supply[types.index(scenario.workers[loss.worker])] -= missing
    return np.asarray(np.maximum(supply, 0.0))


class _Search:
    """Kelley's cutting planes.

    A group's surplus is convex in its price, and known by its tangents where it has been asked.
    The linear program finds the prices that are best by the tangents; its value bounds the least
    bound from below, and the true value at its prices bounds it from above.

    Columns: the price of each type and bin; the lowest price of each type in each group's life;
    the surplus of each group.
    """

    def __init__(self, demand: Demand, supply: Floats) -> None:
        self._demand, self._supply = demand, supply
        self._solver = new_solver()
        types, bins = supply.shape
        groups = len(demand.first)
        self._price = np.arange(types * bins).reshape(types, bins)
        self._life = types * bins + np.arange(groups * types).reshape(groups, types)
        self._surplus = (types * bins + groups * types) + np.arange(groups)
        self.highest = np.inf
        """The least bound found; times requests."""
        self.lowest = 0.0
        """What no prices can get below; times requests."""
        self.prices = np.zeros_like(supply)
        """Those of the least bound found; types by bins."""
        self.turns = 0
        self._lay()
        top = demand.highest()
        for share in _FIRST_PRICES:
            self._try(np.broadcast_to((share * top)[:, None], supply.shape))

    def turn(self) -> None:
        """Ask the linear program once, and learn from what is true at its answer."""
        self.turns += 1
        self._solver.run()
        values = np.array(self._solver.getSolution().col_value)
        self.lowest = max(self.lowest, self._solver.getInfo().objective_function_value)
        self._try(np.maximum(values[self._price], 0.0), values[self._surplus])

    def _try(self, prices: Floats, believed: Floats | None = None) -> None:
        """Take the true value at the prices, and add the tangents that were not believed."""
        at = self._demand.lowest(prices)
        bids = self._demand.bids(at)
        value = float(bids.surplus.sum() + (self._supply * prices).sum())
        if value < self.highest:
            self.highest, self.prices = value, np.array(prices)
        if believed is None:
            self._cut(np.arange(len(bids.surplus)), at, bids)
        else:
            self._cut(np.flatnonzero(bids.surplus > believed + _VIOLATED), at, bids)

    def _cut(self, groups: Ints, at: Floats, bids: Bids) -> None:
        """Surplus + bought seconds x price >= what it is at the tangent's point."""
        if not len(groups):
            return
        add = RowWriter()
        level = bids.surplus + (bids.seconds * at).sum(axis=1)
        for j in groups:
            columns = [self._surplus[j], *self._life[j]]
            add.row(float(level[j]), INFINITE, columns, [1.0, *bids.seconds[j]])
        add.into(self._solver)

    def _lay(self) -> None:
        """Columns, and a row for each bin of a group's life: its lowest price is not above it."""
        demand, solver = self._demand, self._solver
        types, bins = self._supply.shape
        groups, top = len(demand.first), demand.highest()
        upper = np.concatenate(
            [np.repeat(top, bins), np.tile(top, groups), np.full(groups, INFINITE)]
        )
        cost = np.concatenate([self._supply.ravel(), np.zeros(groups * types), np.ones(groups)])
        solver.addVars(len(upper), np.zeros(len(upper)), upper)
        solver.changeColsCost(len(cost), np.arange(len(cost), dtype=np.int32), cost)
        add = RowWriter()
        for j, (first, last) in enumerate(zip(demand.first, demand.last, strict=True)):
            for g in range(types):
                for k in range(first, last + 1):
                    columns = [self._life[j, g], self._price[g, k]]
                    add.row(-INFINITE, 0.0, columns, [1.0, -1.0])
        add.into(solver)
