"""What one router tells, kept fresh.

Model: three tasks for as long as the router is watched: what the cluster is, what it sees of its
load, and the plans it knows of. Each is asked within a time, and asked again for ever; what was
told last stays when a router is away, with the reason why it is. `changed` is called whenever there
is something new.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import aclosing

from argus_client import AsyncClient, Retry
from argus_client.opening import Tls
from argus_core.errors import ArgusError, Unavailable
from argus_protos.v1.control_pb2 import LoadReport, PlanRecord
from argus_protos.v1.images_pb2 import DescribeClusterResponse

log = logging.getLogger(__name__)

LOOK = 1.0
"""Seconds between two looks at the cluster."""
INTERVAL = 2.0
"""Seconds that a report of the load is about."""
PATIENCE = 3.0
"""Seconds for an answer."""
PLANS = 100
"""Records asked for: the newest."""
WINDOW = 300.0
"""Seconds of reports that are kept."""


class RouterWatch:
    """One router; `run` it."""

    def __init__(
        self,
        address: str,
        *,
        api_key: str = "",
        control_key: str = "",
        tls: Tls | None = None,
        changed: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Connects when it is run.

        Args:
            address: `HOST:PORT`.
            api_key: of a tenant; empty where routers have no keys.
            control_key: for the control service, likewise.
            tls: of the connection.
            changed: hears that something is new.
            clock: monotonic seconds.
        """
        self.address, self._changed, self._clock = address, changed, clock
        once = Retry(attempts=1)
        self._images = AsyncClient(address, api_key=api_key, tls=tls, retry=once)
        self._control = AsyncClient(address, api_key=control_key, tls=tls, retry=once)
        self.cluster: DescribeClusterResponse | None = None
        """As told last."""
        self.reports: deque[tuple[float, LoadReport]] = deque()
        """Of the last `WINDOW` seconds, each with the time at which it came."""
        self.plans: list[PlanRecord] = []
        """Oldest first."""
        self.problem = "not asked yet"
        """Why the cluster could not be had; empty where it was."""
        self.blind = ""
        """Why load and plans could not be had; empty where they were."""

    async def run(self) -> None:
        """Go on until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for step in (self._describe, self._listen, self._recall):
                    group.create_task(self._forever(step))
        finally:
            await asyncio.gather(self._images.close(), self._control.close())

    async def _forever(self, step: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await step()
            except ArgusError as error:
                self._failed(step, str(error))
            except TimeoutError:
                self._failed(step, f"no answer within {PATIENCE:g} s")
            await asyncio.sleep(LOOK)

    async def _describe(self) -> None:
        async with asyncio.timeout(PATIENCE):
            self.cluster = await self._images.describe(timeout=PATIENCE)
        if self.problem:
            log.info("router %s is there", self.address)
        self.problem = ""
        self._changed()

    async def _listen(self) -> None:
        reports = self._control.watch_load(interval=INTERVAL, observing=True)
        async with aclosing(reports):
            while True:
                async with asyncio.timeout(INTERVAL + PATIENCE):
                    report = await anext(reports, None)
                if report is None:
                    raise Unavailable("the router stopped telling its load")
                self._hear(report)

    def _hear(self, report: LoadReport) -> None:
        now = self._clock()
        self.reports.append((now, report))
        while self.reports[0][0] < now - WINDOW:
            self.reports.popleft()
        self.blind = ""
        self._changed()

    async def _recall(self) -> None:
        async with asyncio.timeout(PATIENCE):
            found = await self._control.plans(newest=PLANS, timeout=PATIENCE)
        if found != self.plans:
            self.plans = found
            self._changed()
        await asyncio.sleep(LOOK)  # They change seldom.

    def _failed(self, step: Callable[[], Awaitable[None]], why: str) -> None:
        if step == self._describe:
            if not self.problem:
                log.warning("router %s is away: %s", self.address, why)
            self.problem = why
        else:
            self.blind = why
        self._changed()
