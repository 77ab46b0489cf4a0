"""The desk: one thread, in order, in time, and nobody waits for what comes too late."""

import asyncio
import threading

import pytest

from argus_core.errors import DeadlineMissed, Exhausted
from argus_predictor.desk import Desk


@pytest.fixture
def desk():
    made = Desk(limit=4)
    made.start()
    yield made
    made.close()


class Held:
    """Work that goes on until it is let go."""

    def __init__(self):
        self.begun, self._over = threading.Event(), threading.Event()

    def __call__(self):
        self.begun.set()
        assert self._over.wait(30)
        return "held"

    def release(self):
        self._over.set()


async def holding(desk):
    """The desk's thread is busy until the returned work is released."""
    held = Held()
    task = asyncio.create_task(desk.do(held, within=60.0))
    assert await asyncio.to_thread(held.begun.wait, 30)
    return held, task


async def test_calls_are_done_in_their_order_on_one_thread(desk):
    done = []

    def note(number):
        done.append((number, threading.current_thread().name))
        return number

    results = await asyncio.gather(*(desk.do(lambda n=n: note(n), within=60.0) for n in range(4)))
    assert results == [0, 1, 2, 3]
    assert done == [(n, "desk") for n in range(4)]


async def test_an_error_is_the_callers_and_the_desk_goes_on(desk):
    with pytest.raises(ZeroDivisionError):
        await desk.do(lambda: 1 // 0, within=60.0)
    assert await desk.do(lambda: "well", within=60.0) == "well"


async def test_what_would_not_be_done_in_time_is_refused_at_once(desk):
    held, task = await holding(desk)
    big = asyncio.create_task(desk.do(lambda: None, within=60.0, size=1000.0))
    await asyncio.sleep(0)
    with pytest.raises(Exhausted) as refused:
        await desk.do(lambda: None, within=0.01)
    assert refused.value.retry_after > 0.01
    held.release()
    await asyncio.gather(task, big)


async def test_no_more_than_its_limit_wait(desk):
    held, task = await holding(desk)
    waiting = [asyncio.create_task(desk.do(lambda: None, within=60.0)) for _ in range(4)]
    await asyncio.sleep(0)
    with pytest.raises(Exhausted, match="too many"):
        await desk.do(lambda: None, within=60.0)
    held.release()
    await asyncio.gather(task, *waiting)


async def test_what_comes_too_late_is_not_done():
    now, done = [0.0], []
    desk = Desk(clock=lambda: now[0])
    desk.start()
    held, task = await holding(desk)
    late = asyncio.create_task(desk.do(lambda: done.append("late"), within=1.0))
    await asyncio.sleep(0)
    now[0] = 2.0
    held.release()
    with pytest.raises(DeadlineMissed):
        await late
    await task
    assert not done
    desk.close()


async def test_what_its_caller_gave_up_is_not_done(desk):
    done = []
    held, task = await holding(desk)
    given_up = asyncio.create_task(desk.do(lambda: done.append("for nobody"), within=60.0))
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.gather(given_up, return_exceptions=True)
    held.release()
    await task
    await desk.do(lambda: None, within=60.0)
    assert not done
