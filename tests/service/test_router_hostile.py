"""Five hundred requests of those who mean no good, at a router process of its own."""

import psutil

from support import small
from support.assault import assault, connections, settled, target_of
from support.front import front


async def test_router_answers_hostile_requests_canonically_and_keeps_nothing(tmp_path):
    async with front(small.without_starts(), tmp_path) as (router, told):
        async with target_of(told) as target:
            met = await assault(target, 500, seed=1)
        assert not met.problems
        assert all(met.outcomes.values())
        assert await settled(lambda: not connections(router, target), 60)
        assert router.is_running()
        assert router.status() != psutil.STATUS_ZOMBIE
