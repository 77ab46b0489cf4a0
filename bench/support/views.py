"""Stretches of a run that are looked at by themselves; each is a function of the scenario."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from argus_core.simulator.scenario import Scenario
from argus_core.simulator.summary import Stretch

View = Callable[[Scenario], Sequence[Stretch] | None]
"""The stretches, in seconds, as `summarise` takes them; None for the whole run. Picklable."""
WHOLE = "whole"
"""What the view of the whole run is called; bounds and regret are of it."""


def whole(scenario: Scenario) -> Sequence[Stretch] | None:
    """All of a run."""
    del scenario
    return None


@dataclass(frozen=True, kw_only=True)
class Always:
    """The same stretches of every run."""

    stretches: tuple[Stretch, ...]
    """Seconds."""

    def __call__(self, scenario: Scenario) -> Sequence[Stretch] | None:
        """Those."""
        del scenario
        return self.stretches


@dataclass(frozen=True, kw_only=True)
class Outage:
    """From when the latent store goes down."""

    seconds: float
    """For so long."""

    def __call__(self, scenario: Scenario) -> Sequence[Stretch] | None:
        """The first outage's beginning."""
        start = scenario.store.outages[0].start
        return ((start, start + self.seconds),)
