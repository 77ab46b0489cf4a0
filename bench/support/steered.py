"""A policy of the simulator's that steers a real cluster.

It has the workers of a running cluster hold what it wants, by `Assign`, and names every request's
level as the request is sent. Queues, late binding and admission are the router's own. The cluster's
control loop must be off.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from argus_cli.load.sending import Sending
from argus_client import Order
from argus_client.workers import assign_and_wait
from argus_core.policies.policy import Duty, Floor, Policy, Prompt, Setting
from argus_rpc.meanwhile import under_way

_SWITCHED = 60.0
"""Seconds that a worker may take to hold something else."""


class Steered:
    """A policy at work: `order` names levels; see `steering`."""

    def __init__(
        self,
        policy: Policy,
        setting: Setting,
        workers: Mapping[str, str],
        prompts: Sequence[Prompt],
    ) -> None:
        """Nothing is told to anybody yet.

        Args:
            policy: freshly made.
            setting: what it knows; its workers are those of `workers`, in their order.
            workers: addresses by name.
            prompts: what is predicted of each prompt.
        """
        self._policy, self._setting, self._prompts = policy, setting, prompts
        self._addresses = list(workers.values())
        self._duties: list[Duty] = list(policy.start(setting))
        self._holds: list[tuple[str, ...] | None] = [None] * len(self._addresses)
        """None while a worker is switching."""
        queues = max(policy.queue_of) + 1
        self._floor = Floor(levels=len(setting.levels), queues=queues)
        self._began = time.monotonic()
        self.switches = 0

    def order(self, sending: Sending) -> Order:
        """A request, at the level that the policy places it at."""
        self._floor.now = time.monotonic() - self._began
        prompt = self._prompts[sending.prompt]
        level = self._policy.place(prompt, self._setting.deadline, self._floor)
        name = self._setting.levels[max(0, level)].name
        return replace(sending.order, level=name)

    async def settle(self) -> None:
        """Have every worker hold what its duty says."""
        await asyncio.gather(*(self._hold(place) for place in range(len(self._addresses))))

    async def steer(self) -> None:
        """Take the control loop's turns, for ever."""
        while True:
            await asyncio.sleep(self._setting.interval)
            self._floor.now = time.monotonic() - self._began
            duties = self._policy.tick(self._duties, self._floor)
            if duties is not None:
                self._duties = list(duties)
                self._count()
                await self.settle()

    async def _hold(self, place: int) -> None:
        loadout = self._duties[place].loadout
        if self._holds[place] != loadout:
            self._holds[place] = None
            self._count()
            await assign_and_wait(self._addresses[place], loadout, timeout=_SWITCHED)
            self._holds[place], self.switches = loadout, self.switches + 1
        self._count()

    def _count(self) -> None:
        """Tell the floor who serves what."""
        floor, queue_of = self._floor, self._policy.queue_of
        serving = [
            duty for duty, held in zip(self._duties, self._holds, strict=True)
            if held == duty.loadout
        ]  # fmt: skip
        floor.servers = [0] * len(floor.servers)
        for duty in serving:
            for queue in {queue_of[level] for level in duty.levels}:
                floor.servers[queue] += 1
        floor.version += 1


@asynccontextmanager
async def steering(steered: Steered) -> AsyncIterator[Steered]:
    """The policy steers for the length of a block, beginning with what it wants at first."""
    await steered.settle()
    async with under_way(steered.steer()):
        yield steered
