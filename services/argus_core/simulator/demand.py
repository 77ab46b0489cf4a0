"""What requests would pay for GPU time, were it sold: the demand side of `bound`.

Requests whose whole life, from arrival to deadline, touches the same bins of time are a group:
they can wait for the same cheapest bin.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from argus_core.planning.problem import LevelProfile
from argus_core.simulator.luck import luck_of
from argus_core.simulator.scenario import Floats, Scenario

_ROUNDING = 1e-9
"""Relative; of times that should be equal."""

_Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Bins of time of equal width, from 0 to the last deadline."""

    step: float
    """Seconds."""
    count: int

    def bins(self, start: Floats, end: Floats) -> tuple[_Indices, _Indices]:
        """First and last bin that each stretch touches."""
        first = np.floor(start / self.step + _ROUNDING).astype(np.int64)
        last = np.ceil(end / self.step - _ROUNDING).astype(np.int64) - 1
        first = np.clip(first, 0, self.count - 1)
        return first, np.clip(last, first, self.count - 1)


class Bids(NamedTuple):
    """What groups take at a price of each GPU type."""

    surplus: Floats
    """By group: quality less what it costs, summed over its requests."""
    seconds: Floats
    """Groups by types: GPU seconds bought."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Demand:
    """All requests of a scenario, as buyers of GPU seconds."""

    types: tuple[str, ...]
    """GPU types."""
    first: _Indices
    """By group: the first bin that its requests live in."""
    last: _Indices
    """The same of the last."""
    group: _Indices
    """By request."""
    quality: Floats
    """Requests by levels."""
    seconds: Floats
    """Requests by levels by types: the least GPU seconds that the level takes; infinite for no."""

    def lowest(self, prices: Floats) -> Floats:
        """Groups by types: the lowest price in a group's bins; `prices` is types by bins."""
        lowest = prices[:, self.first]
        for ahead in range(1, int((self.last - self.first).max()) + 1):
            lowest = np.minimum(lowest, prices[:, np.minimum(self.first + ahead, self.last)])
        return lowest.T

    def bids(self, prices: Floats) -> Bids:
        """What everyone takes at the prices of its group (groups by types)."""
        requests, groups = len(self.group), len(self.first)
        best, bought = np.zeros(requests), np.zeros(requests)
        by = np.full(requests, -1)
        for g in range(len(self.types)):
            price = prices[self.group, g]
            for level in range(self.quality.shape[1]):
                seconds = self.seconds[:, level, g]
                with np.errstate(invalid="ignore"):  # a closed level at a price of 0
                    gain = self.quality[:, level] - seconds * price
                better = gain > best
                best[better], bought[better], by[better] = gain[better], seconds[better], g
        surplus = np.asarray(np.bincount(self.group, best, groups), dtype=np.float64)
        spent = [
            np.bincount(self.group[by == g], bought[by == g], groups)
            for g in range(len(self.types))
        ]
        return Bids(surplus=surplus, seconds=np.stack(spent, axis=1))

    def highest(self) -> Floats:
        """By type: the price above which nobody takes anything."""
        return np.asarray((self.quality[:, :, None] / self.seconds).max(axis=(0, 1)))


def demand_of(scenario: Scenario, grid: Grid) -> Demand:
    """The requests of a scenario; the seconds of each level are the least in any batch."""
    arrivals, types = scenario.arrivals, tuple(sorted(set(scenario.workers)))
    first, last = grid.bins(arrivals, arrivals + scenario.deadline)
    (firsts, lasts), group = np.unique(np.stack([first, last]), axis=1, return_inverse=True)
    luck = luck_of(scenario)
    luckiest = _luckiest(scenario, luck, grid)
    down = _without_store(scenario)
    seconds = np.empty((len(arrivals), len(scenario.levels), len(types)))
    for i, level in enumerate(scenario.levels):
        for g, gpu_type in enumerate(types):
            seconds[:, i, g] = _least_seconds(scenario, level, gpu_type, luck, luckiest)
        if level.needs_start:
            seconds[down, i] = inf
    return Demand(
        types=types,
        first=firsts,
        last=lasts,
        group=np.ravel(group),
        quality=scenario.prompts.truth[scenario.prompt_of],
        seconds=seconds,
    )


def _least_seconds(
    scenario: Scenario, level: LevelProfile, gpu_type: str, luck: Floats, luckiest: Floats
) -> Floats:
    """By request: its share of the draw that is cheapest for it, of those that end in time."""
    alone = level.seconds.get(gpu_type, inf)
    fetch = scenario.store.fetch_seconds if level.needs_start else 0.0
    latest = scenario.deadline * (1 + _ROUNDING)
    least = np.full(len(luck), inf)
    for i, factor in enumerate(_batches(scenario, level)):
        takes = alone * factor * (luckiest if i else luck) + fetch
        least = np.minimum(least, np.where(takes <= latest, takes / (i + 1), inf))
    return least


def _batches(scenario: Scenario, level: LevelProfile) -> list[float]:
    """A level's batches; where it stands in for one whose start was not found, that one's too."""
    kin = [level]
    if not level.needs_start:
        kin += [k for k in scenario.levels if k.needs_start and k.variant == level.variant]
    longest = max(len(k.batches) for k in kin)
    return [min(k.batches[i] for k in kin if i < len(k.batches)) for i in range(longest)]


def _luckiest(scenario: Scenario, luck: Floats, grid: Grid) -> Floats:
    """By request: the best luck of any that could head its batch: of those alive together."""
    if scenario.retries:  # who comes again may be of any age
        return np.full(len(luck), luck.min())
    arrivals, deadline = scenario.arrivals, scenario.deadline
    came, _ = grid.bins(arrivals, arrivals)
    best = np.full(grid.count, inf)
    np.minimum.at(best, came, luck)
    first, last = grid.bins(np.maximum(arrivals - deadline, 0), arrivals + deadline)
    # A bin before and after: rounding must not leave out who came at the very edge.
    first, last = np.maximum(first - 1, 0), np.minimum(last + 1, grid.count - 1)
    found = best[first]
    for ahead in range(1, int((last - first).max()) + 1):
        found = np.minimum(found, best[np.minimum(first + ahead, last)])
    return found


def _without_store(scenario: Scenario) -> npt.NDArray[np.bool_]:
    """By request: whether the store is down for its whole life."""
    store, arrivals = scenario.store, scenario.arrivals
    down = np.zeros(len(arrivals), dtype=bool)
    for outage in store.outages:
        others = (o for o in store.outages if o is not outage)
        apart = all(o.end <= outage.start or outage.end <= o.start for o in others)
        finds = store.fetch_seconds * outage.slowdown <= store.timeout
        if apart and not finds:
            down |= (outage.start <= arrivals) & (arrivals + scenario.deadline < outage.end)
    return down
