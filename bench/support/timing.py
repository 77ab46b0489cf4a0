"""What images take on the machine that a cluster runs on: timed beforehand, and seen in a run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle, islice
from statistics import fmean, median, pstdev
from typing import Any

from argus_cli.local.cluster import LocalCluster
from argus_client import AsyncClient, Order, Picture
from argus_client.workers import assign_and_wait
from argus_rpc.convert import seconds
from argus_rpc.meanwhile import under_way

_TIMED = 24
"""Pictures that a level is timed on, at least."""
_LONG = 2.0
"""Seconds for which it is timed, at least."""
_WAITING = 2
"""Requests a worker that are under way, so that none has nothing to do."""
_PATIENCE = 120.0
"""Seconds that a picture, or a switch, may take."""
_FEW = 5
"""Images below which a level's mean in a run says nothing."""
_LOOK = 2.0
"""Seconds between two reports of a router."""


@dataclass(frozen=True, kw_only=True)
class Timed:
    """Levels by name, all workers at work."""

    seconds: Mapping[str, float]
    """Worker time of one image: what all workers together draw is so many over this a second."""
    variation: float
    """Coefficient of variation of an image's seconds: the levels' median."""


async def timed(
    cluster: LocalCluster, levels: Sequence[Mapping[str, Any]], texts: Sequence[str]
) -> Timed:
    """Draw at each level of the document, with no more under way than keeps every worker busy."""
    took, varied = {}, []
    workers = len(cluster.addresses)
    async with AsyncClient(cluster.router["grpc"]) as client:
        for level in levels:
            held = (level["variant"],)
            await asyncio.gather(
                *(assign_and_wait(a, held, timeout=_PATIENCE) for a in cluster.addresses.values())
            )
            prompts = islice(cycle(texts), 100 * _TIMED)
            busy = _Busy(client, level["name"], at_once=_WAITING * workers)
            await busy.draw(islice(prompts, busy.at_once))
            busy.pictures.clear()
            began = time.perf_counter()
            while len(busy.pictures) < _TIMED or time.perf_counter() - began < _LONG:
                await busy.draw(islice(prompts, _TIMED))
            drawing = [picture.timing.drawing for picture in busy.pictures]
            took[level["name"]] = workers * (time.perf_counter() - began) / len(drawing)
            varied.append(pstdev(drawing) / fmean(drawing))
    return Timed(seconds=took, variation=median(varied))


class _Busy:
    """Draws with so many requests under way."""

    def __init__(self, client: AsyncClient, level: str, *, at_once: int) -> None:
        self._client, self._level, self.at_once = client, level, at_once
        self.pictures: list[Picture] = []

    async def draw(self, prompts: islice[str]) -> None:
        async def go_on() -> None:
            for prompt in prompts:
                order = Order(prompt=prompt, level=self._level, deadline=_PATIENCE)
                self.pictures += await self._client.draw(order)

        await asyncio.gather(*(go_on() for _ in range(self.at_once)))


@dataclass
class Seen:
    """What a router saw of its workers while somebody looked on."""

    images: dict[str, int] = field(default_factory=dict)
    total: dict[str, float] = field(default_factory=dict)
    """Worker time, by level."""

    def seconds(self, beforehand: Mapping[str, float]) -> dict[str, float]:
        """Of one image by level; of a level that was hardly drawn, in proportion to the others."""
        usual = sum(n * beforehand[level] for level, n in self.images.items())
        ratio = sum(self.total.values()) / usual if usual else 1.0
        return {
            level: self.total[level] / self.images[level]
            if self.images.get(level, 0) >= _FEW
            else ratio * before
            for level, before in beforehand.items()
        }


@asynccontextmanager
async def looking_on(endpoint: str) -> AsyncIterator[Seen]:
    """What the router at `endpoint` sees during a block; what is there at its end may be missed."""
    seen = Seen()

    async def look() -> None:
        async with (
            AsyncClient(endpoint) as client,
            aclosing(client.watch_load(interval=_LOOK, observing=True)) as reports,
        ):
            async for report in reports:
                for work in report.work:
                    level = work.level
                    seen.images[level] = seen.images.get(level, 0) + work.images
                    seen.total[level] = seen.total.get(level, 0.0) + seconds(work.seconds)

    async with under_way(look()):
        yield seen
