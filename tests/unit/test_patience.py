"""Many waits under one timer."""

import asyncio

from argus_rpc.patience import Patience


async def test_each_wait_has_its_own_time():
    patience, over = Patience(0.05), []
    with patience.wait(lambda: over.append("ended")):
        pass
    heard = asyncio.Event()
    with patience.wait(lambda: over.append("first")) as first:
        await asyncio.sleep(0.03)
        with patience.wait(heard.set) as second:
            await asyncio.wait_for(heard.wait(), 30)
            assert over == ["first"]
    assert first.over
    assert second.over
    assert not len(patience)


async def test_nothing_is_kept_of_those_that_were_in_time():
    patience = Patience(60.0)
    for _ in range(3):
        with patience.wait(lambda: None) as wait:
            assert len(patience) == 1
        assert not wait.over
    assert not len(patience)
