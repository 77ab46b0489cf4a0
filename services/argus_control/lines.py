"""The line to one router: its reports in, the plan in force and the history of plans out.

Model: three tasks for as long as the router listens at its address. What fails is tried again, and
logged once. Invariants:

- a router that has not been told the plan in force is told it, until it has been;
- the plan that a router tells of is compared with the one in force at every report;
- of the history it is told what is new since it was told last, and all of it once it has restarted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Protocol

from argus_client import AsyncClient, Tls
from argus_client.retry import Retry
from argus_control.history import History
from argus_control.pacing import Pacing
from argus_protos.v1 import cluster_pb2, control_pb2
from argus_rpc.meanwhile import call_off
from argus_rpc.peers import Peers

log = logging.getLogger(__name__)

_CALL = 5.0
"""Seconds that the router may take to answer."""
_PAUSE, _LONGEST_PAUSE = 0.5, 10.0
"""Seconds before what failed is tried again: twice as many each time, up to a bound."""


@dataclass(frozen=True, kw_only=True)
class Reach:
    """How routers and workers are reached."""

    control_key: str = field(default="", repr=False)
    """API key of the control service; empty where routers ask for none."""
    tls: Tls | None = None
    """Files of the connection, read anew with each that begins; None for a plain one."""
    peers: Peers | None = None
    """How workers are met; None for plainly."""


class Desk(Protocol):
    """Whose lines they are."""

    plan: cluster_pb2.Plan
    """What routers are told."""
    history: History
    """Likewise."""
    reach: Reach
    """How routers are reached."""
    pacing: Pacing
    """Of all who ask in vain."""

    def hear(self, report: control_pb2.LoadReport) -> None:
        """A router tells of its load; `plan` may change by it."""

    def line_changed(self) -> None:
        """A router could not be told the plan, or could again."""


class RouterLine:
    """See the module. `open` once, `close` once."""

    def __init__(self, name: str, address: str, desk: Desk, *, interval: float | None) -> None:
        """`interval` is between two reports, in seconds; None asks for none, and stays so."""
        self.name, self.address = name, address
        self._desk, self.interval = desk, interval
        self._untold = asyncio.Event()
        self._untold.set()
        self._unrecorded = asyncio.Event()
        self._unrecorded.set()
        self._recorded = 0
        """The history's revision up to which the router knows it."""
        self._tasks: list[asyncio.Task[None]] = []
        self.told = 0
        """Id of the last plan that the router took."""
        self.trouble = ""
        """Why it could not be told the plan; empty where it was, or has yet to be."""

    def open(self) -> None:
        """Begin."""
        steps = {"telling it the plan": self._tell, "telling it the history": self._record}
        if self.interval is not None:
            steps["following its load"] = self._follow
        self._tasks = [
            asyncio.create_task(forever(f"{self.name}: {what}", step, self._desk.pacing))
            for what, step in steps.items()
        ]

    async def close(self) -> None:
        """Hang up."""
        await call_off(self._tasks)

    def plan_changed(self) -> None:
        """Tell the router the plan."""
        self._untold.set()

    def history_changed(self) -> None:
        """Tell the router what is new of the history."""
        self._unrecorded.set()

    async def _follow(self) -> None:
        interval = self.interval
        assert interval is not None
        async with (
            self._client() as client,
            aclosing(client.watch_load(interval=interval)) as reports,
        ):
            # Whoever changes the interval has the next report be the last at the old one.
            while interval == self.interval:
                async with asyncio.timeout(interval + _CALL):
                    report = await anext(reports)
                self._desk.hear(report)
                if report.plan_id != self._desk.plan.id:
                    self._untold.set()
                if not report.plan_id and self.told:
                    self._recorded = 0  # It has restarted, and knows nothing any more.
                    self._unrecorded.set()

    async def _tell(self) -> None:
        await self._untold.wait()
        # Who changes the plan while it is told says so again.
        self._untold.clear()
        plan = self._desk.plan
        try:
            async with self._client() as client:
                await client.apply_plan(plan, timeout=_CALL)
        except Exception as error:
            self._untold.set()
            self._troubled(str(error) or repr(error))
            raise
        self.told = plan.id
        self._troubled("")

    async def _record(self) -> None:
        await self._unrecorded.wait()
        self._unrecorded.clear()
        history, since = self._desk.history, self._recorded
        revision = history.revision
        try:
            async with self._client() as client:
                await client.record_plans(history.since(since), timeout=_CALL)
        except Exception:
            self._unrecorded.set()
            raise
        if self._recorded == since:  # Else it has restarted meanwhile.
            self._recorded = revision

    def _troubled(self, why: str) -> None:
        if why != self.trouble:
            self.trouble = why
            self._desk.line_changed()

    def _client(self) -> AsyncClient:
        """Opened anew for every call, so that a certificate that was renewed is heeded."""
        reach = self._desk.reach
        return AsyncClient(
            self.address,
            api_key=reach.control_key,
            tls=reach.tls,
            retry=Retry(attempts=1),
        )


async def forever(
    name: str,
    step: Callable[[], Awaitable[None]],
    pacing: Pacing | None = None,
    *,
    elsewhere: type[Exception] | tuple[()] = (),
) -> None:
    """Do a step again and again; log a failure once, until it succeeds or fails otherwise.

    One that is told of `elsewhere` is not logged.
    """
    trouble, pause, pacing = "", _PAUSE, pacing or Pacing()
    while True:
        try:
            await step()
        except Exception as error:  # noqa: BLE001 - whatever it is, the cluster goes on
            if trouble != repr(error) and not isinstance(error, elsewhere):
                trouble = repr(error)
                log.warning("%s failed, and is tried again: %r", name, error)
            await pacing.rest(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        else:
            trouble, pause = "", _PAUSE
