"""What images take on the workers there are, as routers tell it; the document says what to expect.

Pure: time is passed in, in seconds on one clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from statistics import fmean

from argus_core.control import Costs
from argus_protos.v1 import control_pb2
from argus_rpc.convert import seconds

_OLD = 60.0
"""Seconds after which what a router told counts no more."""
_MOST = 10.0
"""Times the document's seconds, and its inverse: what is beyond that is no image's fault."""

Key = tuple[str, str]
"""Level and GPU type."""


class Measured:
    """Remembers what each router told last."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[float, Mapping[Key, float]]] = {}
        """By router: when, and what."""

    def hear(self, report: control_pb2.LoadReport, now: float) -> None:
        """A router tells; one that saw nothing drawn lately takes back what it told before."""
        self._told = {name: told for name, told in self._told.items() if now - told[0] <= _OLD}
        found = {(each.level, each.gpu_type): seconds(each.seconds) for each in report.seconds}
        self._told[report.router] = now, found

    def costs(self, names: list[str], stated: Costs, now: float) -> Costs:
        """The stated seconds, where routers saw others these; closed levels stay closed.

        Args:
            names: of the levels, in the ladder's order.
            stated: by level, by GPU type.
            now: seconds.
        """
        recent = [found for at, found in self._told.values() if now - at <= _OLD]

        def seen(name: str, gpu: str, prior: float) -> float:
            told = [found[name, gpu] for found in recent if found.get((name, gpu), 0.0) > 0]
            if prior == inf or not told:
                return prior
            return min(max(fmean(told), prior / _MOST), prior * _MOST)

        return [
            {gpu: seen(name, gpu, prior) for gpu, prior in cost.items()}
            for name, cost in zip(names, stated, strict=True)
        ]
