"""Five hundred requests of those who mean no good, at a router process of its own."""

import psutil

from support import small
from support.assault import assault, connections, settled, target_of
from support.process import process


async def test_router_answers_hostile_requests_canonically_and_keeps_nothing(tmp_path):
    found = small.without_starts()
    loadout = ",".join(variant["name"] for variant in found["spec"]["variants"])
    file = small.written(found, tmp_path)
    async with (
        process("support.instant", "--loadout", loadout) as (_, worker),
        process(
            *("argus_router", "--cluster", file, "--worker", worker["address"]),
            *("--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"),
            ARGUS_LOG_LEVEL="ERROR",
        ) as (child, told),
    ):
        router = psutil.Process(child.pid)
        async with target_of(told) as target:
            met = await assault(target, 500, seed=1)
        assert not met.problems
        assert all(met.outcomes.values())
        assert await settled(lambda: not connections(router, target), 15)
        assert child.returncode is None
