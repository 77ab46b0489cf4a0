"""What a router reported of late, as rates."""

from __future__ import annotations

from collections import deque

from argus_protos.v1 import control_pb2
from argus_rpc.convert import seconds

_MEMORY = 60.0
"""Seconds that are told of."""


class Rates:
    """Adds up the windows of the last minute; each counts once it has begun within it."""

    def __init__(self) -> None:
        self._reports: deque[control_pb2.LoadReport] = deque()
        self._covered = 0.0

    def hear(self, report: control_pb2.LoadReport) -> None:
        """Take in a report."""
        self._reports.append(report)
        self._covered += seconds(report.window)
        while self._covered - seconds(self._reports[0].window) >= _MEMORY:
            self._covered -= seconds(self._reports.popleft().window)

    @property
    def newest(self) -> control_pb2.LoadReport | None:
        """The last report; None before the first."""
        return self._reports[-1] if self._reports else None

    @property
    def seconds(self) -> float:
        """That the figures cover."""
        return self._covered

    @property
    def arrivals(self) -> float:
        """Images a second that were asked for."""
        return self._a_second(sum(r.arrivals for r in self._reports))

    @property
    def drawn(self) -> float:
        """Images a second that were done in time."""
        return self._a_second(sum(r.on_time for r in self._reports))

    @property
    def refused(self) -> float:
        """Images a second that were refused."""
        return self._a_second(sum(r.refused for r in self._reports))

    @property
    def ended(self) -> int:
        """Images that were drawn, late, refused or failed."""
        return sum(r.on_time + r.late + r.refused + r.failed for r in self._reports)

    @property
    def in_time(self) -> float | None:
        """Share of them that were in time; None where none ended."""
        total = self.ended
        return sum(r.on_time for r in self._reports) / total if total else None

    def _a_second(self, images: int) -> float:
        return images / self._covered if self._covered else 0.0
