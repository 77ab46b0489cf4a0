"""Many hostile requests at once, and what they did to the process that they were sent to."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import grpc
import psutil

from support.hostile import ATTACKS, WAIT, Broken, Target, honest

_HONEST_EVERY = 20
"""Hostile requests to an honest one, which must be served."""
_LOOK = 0.1


@dataclass(kw_only=True)
class Met:
    """What hostile requests met with."""

    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    """By attack, by what came of it."""
    problems: list[str] = field(default_factory=list)


@asynccontextmanager
async def target_of(told: dict[str, str]) -> AsyncIterator[Target]:
    """A router's fronts, by what it announced."""
    host, _, http_port = told["http"].removeprefix("http://").rpartition(":")
    timeout = aiohttp.ClientTimeout(total=WAIT)
    async with (
        grpc.aio.insecure_channel(told["grpc"]) as channel,
        aiohttp.ClientSession(timeout=timeout, max_line_size=2**17) as session,
    ):
        yield Target(
            channel=channel,
            session=session,
            host=host,
            grpc_port=int(told["grpc"].rpartition(":")[2]),
            http_port=int(http_port),
        )


async def assault(
    target: Target,
    count: int,
    *,
    seed: int,
    at_once: int = 32,
    tell: Callable[[], None] = lambda: None,
) -> Met:
    """So many attacks, by turns and at random, with honest requests between them."""
    met, places = Met(outcomes={name: Counter() for name in ATTACKS}), asyncio.Semaphore(at_once)
    names = list(ATTACKS)

    async def one(number: int) -> None:
        name, rng = names[number % len(names)], random.Random(f"{seed} {number}")
        async with places:
            try:
                if number % _HONEST_EVERY == 0:
                    await honest(target)
                met.outcomes[name][await ATTACKS[name](rng, target)] += 1
            except (Broken, TimeoutError) as error:
                met.problems.append(f"{name} {number}: {error or 'no answer'}")
        tell()

    await asyncio.gather(*map(one, range(count)))
    return met


async def settled(check: Callable[[], bool], seconds: float) -> bool:
    """Whether it comes to be so within so many seconds."""
    for _ in range(int(seconds / _LOOK)):
        if check():
            return True
        await asyncio.sleep(_LOOK)
    return check()


def connections(router: psutil.Process, target: Target) -> int:
    """Clients' connections that a router holds."""
    ours = {target.grpc_port, target.http_port}
    return sum(
        c.status != psutil.CONN_LISTEN and c.laddr.port in ours
        for c in router.net_connections("tcp")
    )
