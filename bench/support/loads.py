"""The same scenario under other loads: what the fastest level can carry, and shares of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from argus_core.policies.pace import pace
from argus_core.simulator.scenario import Scenario

SHARES = (0.3, 0.45, 0.6, 0.75, 0.9, 1.05, 1.2, 1.35, 1.5)
"""Of what the fastest level can carry: the loads of the frontier."""


class Builder(Protocol):
    """Makes a scenario; all builders of this package do, with other arguments bound or not."""

    def __call__(self, seed: int, *, rate: float | None = None) -> Scenario:
        """The scenario of a seed, at a mean load in requests a second; None for its own."""


def carried(scenario: Scenario) -> float:
    """Images a second that all workers together carry at the fastest level, in its best batches."""
    return max(
        sum(
            pace(
                level,
                gpu_type,
                deadline=scenario.deadline,
                fetch_seconds=scenario.store.fetch_seconds,
            )
            for gpu_type in scenario.workers
        )
        for level in scenario.levels
    )


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A builder at a share of the load that the fastest level can carry."""

    build: Builder
    share: float
    """Of mean load; peaks are as much higher as the scenario has them."""

    @cached_property
    def most(self) -> float:
        """Images a second that the fastest level can carry; the same for every seed."""
        return carried(self.build(0))

    def __call__(self, seed: int) -> Scenario:
        """The scenario of a seed."""
        return self.build(seed, rate=self.share * self.most)
