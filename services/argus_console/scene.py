"""All routers together: the state that pages show, and who waits for it to change.

Model: a watch a router, begun and ended as addresses come and go. One number rises with every
change; pages wait for it to pass the one that they know. A cluster of which no router answers is
shown as it was told last, and said to be away.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from argus_console import views
from argus_console.series import Sample, Series
from argus_console.watch import INTERVAL, WINDOW, RouterWatch
from argus_protos.v1.cluster_pb2 import LevelSeconds
from argus_protos.v1.control_pb2 import LoadReport, PlanRecord
from argus_protos.v1.images_pb2 import DescribeClusterResponse
from argus_rpc.meanwhile import call_off
from argus_rpc.roster import Roster

RECENT = 10.0
"""Seconds that the present load is a mean of."""
_TICK = 1.0
"""Seconds between two looks at whether a sample is due."""


class Scene:
    """See the module. `run` it."""

    def __init__(
        self,
        routers: Roster,
        watch: Callable[[str, Callable[[], None]], RouterWatch],
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`watch` makes what watches an address and calls back when it hears something."""
        self._routers, self._watch, self._clock, self._wall = routers, watch, clock, wall
        self._watches: dict[str, RouterWatch] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._turn = asyncio.Event()
        self.series = Series()
        self.version = 1
        """Rises with every change."""

    async def run(self) -> None:
        """Go on until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow())
                group.create_task(self._sample())
        finally:
            await call_off(self._tasks.values())

    async def newer(self, version: int, timeout: float) -> int:
        """Wait until there is something newer, or so many seconds; returns what there is."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while self.version <= version:
                    await self._turn.wait()
        return self.version

    @property
    def cluster(self) -> DescribeClusterResponse | None:
        """As told last: by a router that answers, where there is one."""
        known = [w for w in self._watches.values() if w.cluster is not None]
        return min(known, key=lambda w: bool(w.problem)).cluster if known else None

    @property
    def there(self) -> bool:
        """Whether a router answers."""
        return any(not watch.problem for watch in self._watches.values())

    def plans(self) -> list[PlanRecord]:
        """All that are remembered, oldest first."""
        return views.merged(watch.plans for watch in self._watches.values())

    def lately(self) -> dict[str, Any]:
        """The load of the last minutes."""
        return views.load(self._reports(WINDOW))

    def arrivals(self) -> list[int]:
        """Images asked for in the last minutes, by steps of `INTERVAL` seconds."""
        return views.arrivals(self._reports(WINDOW), INTERVAL)

    def times(self) -> list[LevelSeconds]:
        """What images take, as the newest plan has it that tells of it."""
        told = (list(record.inputs.seconds) for record in reversed(self.plans()))
        return next(filter(None, told), [])

    def prompts(self) -> list[list[float]]:
        """Predicted qualities of prompts of late, by level."""
        return [list(s.qualities) for report in self._reports(WINDOW) for s in report.samples]

    def state(self) -> dict[str, Any]:
        """What pages show."""
        told, newest = self.cluster, list(self._newest())
        return {
            "there": self.there,
            "problem": "; ".join(dict.fromkeys(w.problem for w in self._watches.values())),
            "blind": "; ".join(dict.fromkeys(w.blind for w in self._watches.values())),
            "routers": [
                {"address": w.address, "problem": w.problem} for w in self._watches.values()
            ],
            "at": int(self._wall() * 1000),
            "cluster": views.cluster(told) if told else None,
            "load": {
                "now": views.load(self._reports(RECENT)),
                "lately": self.lately(),
                "queues": views.queues(newest),
            },
        }

    def _newest(self) -> Iterator[LoadReport]:
        for watch in self._watches.values():
            if watch.reports and not watch.problem:
                yield watch.reports[-1][1]

    def _reports(self, lately: float) -> list[LoadReport]:
        since = self._clock() - lately
        return [r for w in self._watches.values() for at, r in w.reports if at > since]

    async def _follow(self) -> None:
        async for addresses in self._routers:
            for address in self._watches.keys() - addresses:
                del self._watches[address]
                self._tasks.pop(address).cancel()
            for address in sorted(addresses - self._watches.keys()):
                self._watches[address] = watch = self._watch(address, self._changed)
                self._tasks[address] = asyncio.create_task(watch.run(), name=f"watch {address}")
            self._changed()
        await asyncio.Event().wait()

    async def _sample(self) -> None:
        while True:
            told = self.cluster
            if (
                told is not None
                and self.there
                and self.series.offer(self._now(told), self._clock())
            ):
                self._changed()
            await asyncio.sleep(_TICK)

    def _now(self, told: DescribeClusterResponse) -> Sample:
        rate = views.load(self._reports(RECENT))["rate"]
        return views.sample(told, rate, int(self._wall() * 1000))

    def _changed(self) -> None:
        self.version += 1
        self._turn.set()
        self._turn.clear()
