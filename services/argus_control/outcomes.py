"""How requests fared lately, as routers report it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from argus_protos.v1 import control_pb2


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Requests of late."""

    met: int
    """Done in time."""
    missed: int
    """Done late, refused or failed."""

    @property
    def share(self) -> float:
        """Of those that met their deadline; 1 where none came."""
        total = self.met + self.missed
        return self.met / total if total else 1.0


class Outcomes:
    """Adds up reports of the last `memory` seconds; every report counts once."""

    def __init__(self, *, memory: float = 300.0, most: int = 10_000) -> None:
        self._memory = memory
        self._heard: deque[tuple[float, int, int]] = deque(maxlen=most)
        self._sequence: dict[str, int] = {}
        self.newest: float | None = None
        """When the last report came; None before the first."""

    def add(self, report: control_pb2.LoadReport, now: float) -> Outcome | None:
        """Take in a report, and tell what is in it; None where it came before.

        `now` is in seconds on one clock that never goes back.
        """
        self.newest = now
        if self._sequence.get(report.router) == report.sequence:
            return None
        self._sequence[report.router] = report.sequence
        missed = report.late + report.refused + report.failed
        self._heard.append((now, report.on_time, missed))
        return Outcome(met=report.on_time, missed=missed)

    def of_late(self, now: float) -> Outcome:
        """The sum."""
        while self._heard and self._heard[0][0] < now - self._memory:
            self._heard.popleft()
        return Outcome(
            met=sum(met for _, met, _ in self._heard),
            missed=sum(missed for _, _, missed in self._heard),
        )
