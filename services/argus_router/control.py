"""ControlService: the plan in, the observed load out; and what there is to tell of both."""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import socket
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from typing import Any

import grpc

from argus_core.errors import ArgusError, Exhausted, InvalidRequest, Violation
from argus_core.measured import Work
from argus_core.spec import ClusterSpec
from argus_protos.v1 import cluster_pb2, control_pb2
from argus_protos.v1.control_pb2_grpc import ControlServiceServicer
from argus_router import plans
from argus_router.load import Outcome, Window
from argus_router.service import Service
from argus_router.worked import between
from argus_rpc.convert import duration, now, seconds

Context = grpc.aio.ServicerContext[Any, Any]

_INTERVAL, _SHORTEST, _LONGEST = 5.0, 0.1, 300.0
_MOST_WATCHERS = 16
_ABSENCE = 5.0
"""Seconds without a loop that watches the load after which the control loop is gone."""

log = logging.getLogger(__name__)


class OlderPlan(ArgusError):
    """A newer plan is in force; read it before making another."""

    code = "FAILED_PRECONDITION"


class Control(ControlServiceServicer):
    """Keeps the plan, and counts a window for each that watches."""

    def __init__(self, service: Service, *, clock: Callable[[], float]) -> None:
        self._service, self._clock = service, clock
        self._there = False
        self._name = socket.gethostname()
        self._watchers, self._loops = 0, 0
        self._sequence = itertools.count(1)

    async def ApplyPlan(  # noqa: N802 - the proto's name
        self, request: control_pb2.ApplyPlanRequest, context: Context
    ) -> control_pb2.ApplyPlanResponse:
        """See the proto."""
        del context
        if violations := list(_wrong(request, self._service.cluster.spec)):
            raise InvalidRequest(violations)
        standing = self._service.plan
        if standing is not None and request.plan.id < standing.id:
            raise OlderPlan(f"plan {standing.id} is in force; {request.plan.id} is older")
        self._service.apply(request.plan)
        return control_pb2.ApplyPlanResponse()

    async def RecordPlans(  # noqa: N802 - the proto's name
        self, request: control_pb2.RecordPlansRequest, context: Context
    ) -> control_pb2.RecordPlansResponse:
        """See the proto."""
        del context
        if len(request.records) > plans.MOST:
            raise InvalidRequest.one("records", f"must be at most {plans.MOST}")
        for index, record in enumerate(request.records):
            if record.plan.id == 0:
                raise InvalidRequest.one(f"records[{index}].plan.id", "must be at least 1")
        self._service.plans.record(request.records)
        return control_pb2.RecordPlansResponse()

    async def ListPlans(  # noqa: N802 - the proto's name
        self, request: control_pb2.ListPlansRequest, context: Context
    ) -> control_pb2.ListPlansResponse:
        """See the proto."""
        del context
        told = self._service.plans.told(newest=request.newest, changes_only=request.changes_only)
        return control_pb2.ListPlansResponse(records=told)

    async def Explain(  # noqa: N802 - the proto's name
        self, request: control_pb2.ExplainRequest, context: Context
    ) -> control_pb2.ExplainResponse:
        """See the proto."""
        del context
        record = self._service.recall.explain(request.request_id)
        return control_pb2.ExplainResponse(record=record)

    async def WatchLoad(  # noqa: N802 - the proto's name
        self, request: control_pb2.WatchLoadRequest, context: Context
    ) -> AsyncGenerator[control_pb2.WatchLoadResponse]:
        """See the proto."""
        del context
        interval = seconds(request.interval) if request.HasField("interval") else _INTERVAL
        if not _SHORTEST <= interval <= _LONGEST:
            raise InvalidRequest.one("interval", f"must be {_SHORTEST} to {_LONGEST:.0f} s")
        if self._watchers >= _MOST_WATCHERS:
            raise Exhausted(f"{_MOST_WATCHERS} watch the load already", retry_after=_INTERVAL)
        loops = 0 if request.observing else 1
        self._watchers, self._loops = self._watchers + 1, self._loops + loops
        self._look()
        worked = self._service.dispatcher.waiting.outlook.worked
        window, opened, before = self._service.load.open(), self._clock(), worked.sums()
        try:
            while True:
                after = worked.sums()
                report = self._report(window, self._clock() - opened, between(before, after))
                self._service.load.close(window)
                window, opened, before = self._service.load.open(), self._clock(), after
                yield control_pb2.WatchLoadResponse(report=report)
                await asyncio.sleep(interval)
        finally:
            self._service.load.close(window)
            self._watchers, self._loops = self._watchers - 1, self._loops - loops
            asyncio.get_running_loop().call_later(_ABSENCE, self._look)

    def _look(self) -> None:
        """Say once when the control loop has come, and when it has not watched for a while."""
        there = self._loops > 0
        if there and not self._there:
            log.info("the control loop is there")
        elif self._there and not there:
            log.warning("the control loop is gone: the plan in force stays")
        if there != self._there:
            self._there = there
            self._service.metrics.part("control", there)

    def _report(
        self, window: Window, length: float, work: Sequence[Work]
    ) -> control_pb2.LoadReport:
        plan, deadline = self._service.plan, window.deadline
        return control_pb2.LoadReport(
            router=self._name,
            sequence=next(self._sequence),
            window_end=now(),
            window=duration(length),
            arrivals=window.arrivals,
            on_time=window.ended[Outcome.OK],
            late=window.ended[Outcome.LATE],
            refused=window.ended[Outcome.REFUSED],
            failed=window.ended[Outcome.FAILED],
            queues=list(self._queues()),
            samples=[control_pb2.SampledPrompt(qualities=sample) for sample in window.samples],
            plan_id=plan.id if plan else 0,
            deadline=duration(deadline) if deadline < math.inf else None,
            work=[
                control_pb2.LevelWork(
                    level=w.level,
                    gpu_type=w.gpu_type,
                    images=w.images,
                    seconds=duration(w.seconds),
                )
                for w in work
            ],
        )

    def _queues(self) -> Iterator[control_pb2.QueueLoad]:
        dispatcher, now = self._service.dispatcher, self._clock()
        queues, seconds = dispatcher.queues, dispatcher.waiting.outlook.seconds
        for variant in queues.variants():
            slots = sum(w.slots for w in dispatcher.fleet if variant in w.loadout)
            waiting = [(entry.rank.deadline, seconds(entry)) for entry in queues.entries(variant)]
            yield control_pb2.QueueLoad(
                variant=variant,
                queued=len(waiting),
                work=duration(sum(work for _, work in waiting)),
                least_slack=duration(_least_slack(waiting, max(1, slots), now)),
            )


def _least_slack(waiting: Sequence[tuple[float, float]], slots: int, at: float) -> float:
    """Seconds to spare of the request that has the fewest, if the slots do nothing else.

    Args:
        waiting: of each, in order: its deadline, and the seconds that it takes.
        slots: that serve them.
        at: now.
    """
    least, ahead = math.inf, 0.0
    for deadline, work in waiting:
        least = min(least, deadline - at - ahead / slots - work)
        ahead += work
    return least


def _wrong(request: control_pb2.ApplyPlanRequest, spec: ClusterSpec) -> Iterator[Violation]:
    plan = request.plan
    if plan.id == 0:
        yield Violation("plan.id", "must be at least 1")
    for name in ("forecast_rate", "expected_quality", "expected_shed"):
        number = getattr(plan, name)
        most = math.inf if name == "forecast_rate" else 1.0
        if not 0 <= number <= most or math.isinf(number):
            yield Violation(f"plan.{name}", f"must be 0 to {most}, is {number}")
    for index, allocation in enumerate(plan.allocations):
        yield from _wrong_allocation(f"plan.allocations[{index}]", allocation, spec)


def _wrong_allocation(
    path: str, allocation: cluster_pb2.Allocation, spec: ClusterSpec
) -> Iterator[Violation]:
    if allocation.pool not in {pool.name for pool in spec.pools}:
        yield Violation(f"{path}.pool", f"there is no pool {allocation.pool!r}")
    if unknown := set(allocation.loadout) - {variant.name for variant in spec.variants}:
        yield Violation(f"{path}.loadout", f"there is no variant {', '.join(sorted(unknown))}")
    if not 0 <= allocation.price < math.inf:
        yield Violation(f"{path}.price", "must be at least 0, and finite")
