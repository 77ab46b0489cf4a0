"""Whether, and how, the workers of a cluster are planned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import inf

from argus_control.levels import levels_of, worker_seconds
from argus_control.mode import Mode
from argus_core.control import ControlRules
from argus_core.measured import Costs
from argus_core.planning.problem import Limits, PoolBudget
from argus_core.pricing import SHED_LOSS
from argus_core.spec import ClusterSpec
from argus_core.spread import choices
from argus_protos.v1 import cluster_pb2
from argus_rpc.convert import seconds

SWITCH = 5.0
"""Seconds that a worker loads a variant, until something has been seen of loading."""
_WEIGHT = 0.3
"""Of a new observation."""


@dataclass(frozen=True, kw_only=True)
class Planning:
    """How the workers are planned; times in seconds."""

    mode: Mode = Mode.OFF
    interval: float = 10.0
    """Between two looks at the load."""
    steady: float = 180.0
    """A load that has fallen is planned for when it has been low for so long."""
    minimum_gain: float = 0.005
    """What a new plan must gain over the standing one, in mean quality."""
    young_gain: float = 0.03
    """What it must gain within four intervals of a change."""
    shed_loss: float = SHED_LOSS
    """What refusing a request costs, in quality."""


def rules_of(spec: ClusterSpec, planning: Planning) -> ControlRules:
    """What the control loop of a cluster is made for.

    Every variant keeps the workers that the document says: one where it says nothing, so that a
    request that names a level finds one.
    """
    order = order_of(spec)
    return ControlRules(
        levels=tuple(
            replace(profile, seconds=worker_seconds(level, spec))
            for profile, level in zip(levels_of(spec), spec.ladder, strict=True)
        ),
        pools=tuple(
            PoolBudget(
                name=pool.name,
                gpu_type=pool.gpu_type,
                workers=pool.workers,
                loadouts=choices(order, pool.workers),
            )
            for pool in spec.pools
        ),
        deadline=spec.slo.deadline_seconds,
        target=spec.slo.target,
        interval=planning.interval,
        steady=planning.steady,
        minimum_gain=planning.minimum_gain,
        young_gain=planning.young_gain,
        shed_loss=planning.shed_loss,
        weighed=True,
        limits={
            v.name: Limits(minimum=v.minimum_workers, maximum=v.maximum_workers)
            for v in spec.variants
        },
    )


def planning_of(spec: ClusterSpec) -> Planning:
    """What the document says."""
    said = spec.planning
    return Planning(
        mode=Mode(said.mode),
        interval=said.interval_seconds,
        steady=said.steady_seconds,
        minimum_gain=said.minimum_gain,
        young_gain=said.minimum_gain_after_change,
        shed_loss=said.shed_loss,
    )


def order_of(spec: ClusterSpec) -> tuple[str, ...]:
    """The variants in the order in which a plan names them: the ladder's."""
    return tuple(dict.fromkeys(level.variant for level in spec.ladder))


def costs_of(spec: ClusterSpec) -> Costs:
    """By level, by GPU type: the document's seconds, in batches where these gain.

    They are infinite for what is not planned with: what the router will not serve, as it is below
    the least quality, and what not every prompt can have, as it begins from a cached latent.
    """
    least = spec.slo.minimum_quality
    return [
        dict.fromkeys(level.seconds, inf)
        if level.skipped_steps or level.quality < least
        else worker_seconds(level, spec)
        for level in spec.ladder
    ]


class Switches:
    """Seconds of loading a variant, as the workers tell of their switches.

    One that nobody has switched to yet is taken to need no longer than a process that began with
    it, nor than the slowest of the others.
    """

    def __init__(self, variants: Iterable[str]) -> None:
        self._first: dict[str, float] = dict.fromkeys(variants, SWITCH)
        """The least that a process took that began with it; `SWITCH` where none has."""
        self.seconds = dict(self._first)
        self._seen: dict[str, int] = {}
        """By variant: switches that tell of it."""
        self._last: dict[str, bytes] = {}

    def hear(self, states: Mapping[str, cluster_pb2.WorkerState]) -> None:
        """Learn from the switches that are new."""
        for name, state in states.items():
            switch = state.last_switch
            told = switch.SerializeToString(deterministic=True)
            if told == self._last.get(name):
                continue
            self._last[name] = told
            for variant in switch.to:
                took = seconds(switch.load) / len(switch.to)
                if getattr(switch, "from"):
                    self._learn(variant, took)
                elif variant in self._first:
                    self._first[variant] = min(self._first[variant], took)
        slowest = max((self.seconds[variant] for variant in self._seen), default=SWITCH)
        for variant, first in self._first.items():
            if variant not in self._seen:
                self.seconds[variant] = min(first, slowest)

    def _learn(self, variant: str, took: float) -> None:
        if variant not in self.seconds:
            return
        seen = self._seen.get(variant, 0)
        weight = max(_WEIGHT, 1 / (seen + 1))
        self.seconds[variant] += weight * (took - self.seconds[variant])
        self._seen[variant] = seen + 1
