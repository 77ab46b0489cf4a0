"""Blocking work is bounded in time and number, and what comes too late is undone."""

import asyncio
import threading

import pytest

from argus_latents.store import StoreFailed
from argus_latents.threads import Threads
from helpers import eventually


@pytest.fixture
def gate():
    """Opened at the end at the latest, so that no thread outlives its test."""
    event = threading.Event()
    yield event
    event.set()


async def test_what_the_call_returns_or_raises_comes_back():
    threads = Threads(2, name="t")
    assert await threads.run(lambda: 7, seconds=5) == 7
    with pytest.raises(KeyError):
        await threads.run(lambda: {}["x"], seconds=5)
    threads.close()


async def test_a_call_that_hangs_is_given_up_and_undone_once_it_returns(gate):
    threads, undone = Threads(1, name="t"), []
    with pytest.raises(StoreFailed, match=r"longer than 0.05 s"):
        await threads.run(lambda: gate.wait(20) and "late", seconds=0.05, undo=undone.append)
    assert undone == []
    gate.set()
    await eventually(lambda: undone == ["late"])
    assert await threads.run(lambda: "well again", seconds=5) == "well again"
    threads.close()


async def test_a_call_given_up_before_its_turn_is_never_made(gate):
    threads, made, begun = Threads(1, name="t"), [], threading.Event()
    call = lambda: begun.set() or gate.wait(20)  # noqa: E731
    first = asyncio.ensure_future(threads.run(call, seconds=20))
    await eventually(begun.is_set)
    with pytest.raises(StoreFailed):
        await threads.run(lambda: made.append(1), seconds=0.05)
    gate.set()
    await first
    await threads.run(lambda: None, seconds=5)
    assert made == []
    threads.close()


async def test_more_than_the_bound_is_refused_at_once(gate):
    threads = Threads(1, name="t", bound=2)
    waiting = [asyncio.ensure_future(threads.run(lambda: gate.wait(20), seconds=20)) for _ in "ab"]
    await asyncio.sleep(0)
    with pytest.raises(StoreFailed, match="2 calls are under way"):
        await threads.run(lambda: None, seconds=20)
    gate.set()
    await asyncio.gather(*waiting)
    assert await threads.run(lambda: "room again", seconds=5) == "room again"
    threads.close()


async def test_a_cancelled_call_is_undone(gate):
    threads, undone, begun = Threads(1, name="t"), [], threading.Event()

    def call():
        begun.set()
        gate.wait(20)
        return "late"

    task = asyncio.ensure_future(threads.run(call, seconds=20, undo=undone.append))
    await eventually(begun.is_set)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.set()
    await eventually(lambda: undone == ["late"])
    threads.close()
