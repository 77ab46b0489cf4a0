"""A local cluster under a real Prometheus with Argus's rules, at a pace that suits a test."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from argus_alerts import burn, groups
from argus_alerts.rule import Pace
from argus_cli.local.cluster import LocalCluster
from argus_client import AsyncClient, Order
from argus_client.retry import Retry
from argus_core.errors import ArgusError
from support.prometheus import Prometheus, prometheus

_LOOK = 0.2
"""Seconds between two looks at what fires."""


class FalseAlarm(AssertionError):
    """An alert fired that had no reason to."""


class Watch:
    """Looks at what fires. Times are real seconds."""

    def __init__(self, found: Prometheus) -> None:
        self.prometheus = found

    async def firing(self) -> dict[str, str]:
        """Description, by name; but for the tickets of budgets that burn for days.

        Those rightly stay for hours after what no later fault has anything to do with.
        """
        return {
            alert["labels"]["alertname"]: alert["annotations"]["description"]
            for alert in await self.prometheus.alerts()
            if alert["labels"].get("watch") != burn.LONG.name
        }

    async def silence(self, seconds: float) -> None:
        """Nothing fires for so long.

        Raises:
            FalseAlarm: something does.
        """
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            if found := await self.firing():
                raise FalseAlarm(f"{found}")
            await asyncio.sleep(_LOOK)

    async def only(self, alert: str, *, within: float) -> tuple[float, str]:
        """Wait until it fires, and nothing else before or with it; seconds taken, description.

        Raises:
            FalseAlarm: another fires.
            AssertionError: it does not fire in time.
        """
        began = time.monotonic()
        while time.monotonic() < began + within:
            found = await self.firing()
            if others := found.keys() - {alert}:
                raise FalseAlarm(f"{others} beside {alert}: {found}")
            if alert in found:
                return time.monotonic() - began, found[alert]
            await asyncio.sleep(_LOOK)
        raise AssertionError(f"{alert} did not fire within {within:g} s")

    async def over(self, alert: str, *, within: float) -> float:
        """Wait until nothing fires; seconds taken.

        Raises:
            FalseAlarm: another fires meanwhile.
            AssertionError: it still does.
        """
        began = time.monotonic()
        while found := await self.firing():
            if others := found.keys() - {alert}:
                raise FalseAlarm(f"{others} after {alert}: {found}")
            assert time.monotonic() < began + within, f"{alert} fires after {within:g} s still"
            await asyncio.sleep(_LOOK)
        return time.monotonic() - began


@asynccontextmanager
async def watched(
    folder: Path,
    cluster: LocalCluster,
    *,
    pace: Pace,
    interval: float,
    also: Sequence[Path] = (),
) -> AsyncIterator[Watch]:
    """Have a Prometheus watch a cluster, from when it has scraped all of its processes.

    `also` are files of targets that may come later.
    """
    rules = folder / "alerts.yaml"
    rules.write_text(groups.text(pace))
    async with prometheus(
        folder, targets=[cluster.targets, *also], rules=[rules], interval=interval
    ) as found:
        processes = 1 + len(cluster.supervisor.views)
        async with asyncio.timeout(60):
            while len(await found.query("up == 1")) < processes:  # noqa: ASYNC110
                await asyncio.sleep(_LOOK)
        yield Watch(found)


@asynccontextmanager
async def asked(
    address: str, *, rate: float, prompts: Sequence[str], tenant: str = "", **order: object
) -> AsyncIterator[list[str]]:
    """Ask for so many images a second, in their turn; the list grows by how each ended."""
    ended: list[str] = []
    async with (
        AsyncClient(address, tenant=tenant, retry=Retry(attempts=1)) as client,
        asyncio.TaskGroup() as group,
    ):

        async def one(number: int) -> None:
            prompt = prompts[number % len(prompts)]
            try:
                await client.draw(Order(prompt=prompt, **order))  # type: ignore[arg-type]
            except ArgusError as error:
                ended.append(type(error).__name__)
            else:
                ended.append("drawn")

        async def ask() -> None:
            number = 0
            while True:
                group.create_task(one(number))
                number += 1
                await asyncio.sleep(1 / rate)

        asking = group.create_task(ask())
        try:
            yield ended
        finally:
            asking.cancel()


@contextmanager
def hung(*processes: int) -> Iterator[None]:
    """Processes that do nothing, and end nothing, for as long as the block lasts."""
    try:
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        yield
    finally:
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)


def pid(cluster: LocalCluster, name: str) -> int:
    """Of a process of a cluster that is up."""
    found = cluster.supervisor.views[name].pid
    assert found is not None, f"{name} is not up"
    return found
