"""Bursts at a whole cluster with a real model: levels give way first, and refusals hold.

How many come at once is taken from what the machine can do, measured right before and with as many
at once, so that it matters little how fast it is: clients, router and worker share its cores.
"""

import asyncio
import time
from collections import Counter
from math import sqrt
from statistics import fmean

import pytest

from argus_client import AsyncClient, Order
from argus_client.retry import Retry
from argus_core.errors import DeadlineMissed, Exhausted
from local_support import cluster_document, running_cluster

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]


def level(name, steps, quality):
    return {
        "name": name,
        "variant": "first",
        "steps": steps,
        "guidanceScale": 2.0,
        "quality": quality,
        "seconds": {"cpu": 0.01 + 0.0025 * steps},
    }


def document(deadline):
    return cluster_document(
        "burst",
        workers=1,
        ladder=[
            level("fine", 200, 1.0),
            level("coarse", 4, 0.7),
            {**level("other", 4, 0.1), "variant": "second"},
        ],
        slo={"deadlineSeconds": deadline},
        router={"maxQueued": 1000},
    )


async def pace(client, name, images):
    """Seconds that an image takes at a level when many are asked for at once."""
    order, began = Order(prompt="a large red circle", level=name, deadline=300.0), time.monotonic()
    await asyncio.gather(*(client.draw(order) for _ in range(images)))
    return (time.monotonic() - began) / images


async def test_burst_moves_prompts_down_the_ladder_and_back(tmp_path):
    deadline = 15.0
    async with (
        running_cluster(tmp_path, document(deadline)) as cluster,
        AsyncClient(cluster.router["grpc"], retry=Retry(attempts=1)) as client,
    ):
        fine, coarse = await pace(client, "fine", 4), await pace(client, "coarse", 100)
        (before,) = await client.draw(Order(prompt="a large red circle"))
        # Some times too many for the fine level, and as many times too few for the coarse one.
        count = round(deadline / sqrt(fine * coarse))
        orders = [Order(prompt=f"a red circle, number {n}") for n in range(count)]
        burst = await asyncio.gather(*map(client.draw, orders))
        (after,) = await client.draw(Order(prompt="a large red circle"))
    levels = Counter(image.decision.level for (image,) in burst)
    assert before.decision.level == after.decision.level == "fine"
    assert 1 <= levels["fine"] < levels["coarse"]
    assert all(image.image().size == (48, 48) for (image,) in burst)


class Crowd:
    """Clients who each want one picture, and come again whenever they are told to."""

    def __init__(self, client, deadline):
        self._client, self._deadline = client, deadline
        self._drawing = []
        self.asked = Counter()
        """How often each has asked."""
        self.refused = 0

    def __len__(self):
        return len(self._drawing)

    async def grow(self, count):
        """So many more come at once; waits until each has heard whether it is let in."""
        heard = [asyncio.Event() for _ in range(count)]
        self._drawing += [asyncio.create_task(self._draw(len(self) + n, h.set))
                          for n, h in enumerate(heard)]  # fmt: skip
        await asyncio.gather(*(one.wait() for one in heard))

    async def ended(self):
        """How it ended for so many of them: drawn, late, or refused each time."""
        return Counter(await asyncio.gather(*self._drawing))

    async def _draw(self, number, heard):
        order = Order(prompt=f"a red circle, number {number}", deadline=self._deadline)
        for _ in range(10):
            self.asked[number] += 1
            try:
                await self._client.draw(order, on_accepted=lambda _: heard())
            except Exhausted as refused:
                self.refused += 1
                heard()
                await asyncio.sleep(refused.retry_after)
            except DeadlineMissed:
                heard()
                return "late"
            else:
                return "drawn"
        return "refused"


async def test_refused_clients_that_come_when_told_are_served(tmp_path):
    deadline = 10.0
    async with (
        running_cluster(tmp_path, document(deadline)) as cluster,
        AsyncClient(cluster.router["grpc"], retry=Retry(attempts=1)) as client,
    ):
        await pace(client, "coarse", 100)
        crowd = Crowd(client, deadline)
        async with asyncio.timeout(200):
            # As many as are let in, however fast the machine is just now, and six tenths as many.
            while not crowd.refused:
                await crowd.grow(50)
            await crowd.grow(round(0.6 * len(crowd)))
            ended = await crowd.ended()
    # That nobody is late is for virtual time to say (tests/unit/test_router_waiting.py): here the
    # machine may halve its pace meanwhile. Without admission, some six in ten would be drawn.
    assert ended["drawn"] >= 0.8 * len(crowd)
    assert sum(often > 1 for often in crowd.asked.values()) >= len(crowd) / 10
    assert fmean(crowd.asked.values()) < 4
