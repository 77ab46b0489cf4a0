"""The plans that the control loop told of, for whoever asks: kept, and never decided by."""

from __future__ import annotations

from collections.abc import Iterable

from argus_protos.v1 import control_pb2

MOST = 500
"""Records that are kept."""


class Plans:
    """The newest records by the number of their plan; one takes the place of an earlier one."""

    def __init__(self) -> None:
        self._records: dict[int, control_pb2.PlanRecord] = {}

    def record(self, records: Iterable[control_pb2.PlanRecord]) -> None:
        """Take them in."""
        self._records |= {record.plan.id: record for record in records}
        kept = sorted(self._records)[-MOST:]
        self._records = {number: self._records[number] for number in kept}

    def told(self, *, newest: int = 0, changes_only: bool = False) -> list[control_pb2.PlanRecord]:
        """Oldest first; so many of the newest, 0 for all."""
        found = [r for r in self._records.values() if r.changes or not changes_only]
        return found[-newest:] if newest else found
