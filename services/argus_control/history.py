"""What is remembered of plans: what they were made from, what was rejected, and what came of them.

Model: pure; times are seconds on one clock that never goes back, passed in. A record is
`argus.v1.PlanRecord`. What comes of a plan is counted until the next that changes what workers
hold, or for five minutes. Invariants:

- records are in the order of their plans, and so many at most; those that changed nothing go first;
- only the newest record and the newest that changed something are still written to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf

from argus_core.spread import Loadout
from argus_protos.v1 import control_pb2
from argus_rpc.convert import duration

MOST = 200
"""Records that are kept."""
_IDLE = 100
"""Of them, plans that changed nothing."""
WATCHED = 300.0
"""Seconds for which is counted what comes of a plan."""
_NEWS = 5.0
"""Seconds between two accounts of how requests fare under a plan."""


@dataclass(kw_only=True)
class _Open:
    """A record that is still written to."""

    record: control_pb2.PlanRecord
    began: float
    awaited: dict[str, Loadout] = field(default_factory=dict)
    """By worker: what it shall hold, and does not yet."""
    told: float = -inf


class History:
    """See the module. Records that it gives are its own: read them only."""

    def __init__(self, records: Iterable[control_pb2.PlanRecord] = ()) -> None:
        """`records` are of an earlier process: nothing more comes of them."""
        self._records: dict[int, control_pb2.PlanRecord] = {}
        self._changed: dict[int, int] = {}
        """By plan: the revision in which its record was last written to."""
        self.revision = 0
        """Rises whenever a record is written to."""
        self.settled = 0
        """Rises when there is something that should outlive this process."""
        self._open: list[_Open] = []
        for record in sorted(records, key=lambda r: r.plan.id):
            record.aftermath.over = True
            self._keep(record)

    @property
    def records(self) -> list[control_pb2.PlanRecord]:
        """All, oldest first."""
        return list(self._records.values())

    @property
    def last_id(self) -> int:
        """Of the newest plan; 0 where there is none."""
        return max(self._records, default=0)

    def since(self, revision: int) -> list[control_pb2.PlanRecord]:
        """Records written to after a revision, oldest first."""
        return [r for i, r in self._records.items() if self._changed[i] > revision]

    def decided(
        self, record: control_pb2.PlanRecord, now: float, *, awaited: Mapping[str, Loadout]
    ) -> None:
        """A plan was made.

        Args:
            record: all of it but what comes of it; it is kept.
            now: when.
            awaited: by worker, what it shall hold by the plan and does not.
        """
        for standing in [o for o in self._open if record.changes or not o.record.changes]:
            self._close(standing)
        record.aftermath.switches = len(awaited)
        self._open.append(_Open(record=record, began=now, awaited=dict(awaited)))
        self.settled += 1
        self._keep(record)

    def serve(self, held: Mapping[str, Loadout], now: float) -> None:
        """These workers serve, and hold this."""
        for standing in self._open:
            arrived = [n for n, wanted in standing.awaited.items() if held.get(n) == wanted]
            if not arrived:
                continue
            for name in arrived:
                del standing.awaited[name]
            aftermath = standing.record.aftermath
            aftermath.switched += len(arrived)
            if not standing.awaited:
                aftermath.took.CopyFrom(duration(now - standing.began))
                self.settled += 1
            self._write(standing.record)

    def fare(self, met: int, missed: int, now: float) -> None:
        """So many requests were done in time, and so many were not."""
        for standing in list(self._open):
            if now - standing.began > WATCHED and not standing.awaited:
                self._close(standing)
                continue
            fared = standing.record.aftermath.fared
            fared.met += met
            fared.missed += missed
            if (met or missed) and now - standing.told >= _NEWS:
                standing.told = now
                self._write(standing.record)

    def renumber(self, plan_id: int) -> None:
        """The newest plan goes by another number from now on."""
        if not self._records:
            return
        record = self._records.pop(self.last_id)
        record.plan.id = plan_id
        self.settled += 1
        self._keep(record)

    def _close(self, standing: _Open) -> None:
        self._open.remove(standing)
        standing.record.aftermath.over = True
        self.settled += 1
        self._write(standing.record)

    def _keep(self, record: control_pb2.PlanRecord) -> None:
        self._records[record.plan.id] = record
        self._write(record)
        idle = [i for i, r in self._records.items() if not r.changes]
        for number in idle[: max(0, len(idle) - _IDLE)]:
            del self._records[number]
        for number in list(self._records)[: max(0, len(self._records) - MOST)]:
            del self._records[number]

    def _write(self, record: control_pb2.PlanRecord) -> None:
        self.revision += 1
        self._changed[record.plan.id] = self.revision
        if len(self._changed) > 2 * MOST:
            self._changed = {i: self._changed[i] for i in self._records}
