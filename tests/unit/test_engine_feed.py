"""Events across threads, states to watchers: bounded, in order, never blocking the sender."""

import threading

import pytest

from argus_worker.feed import UNREAD, Feed
from argus_worker.order import Failed, Progress, Started
from argus_worker.outbox import Outbox


def progress(step):
    return Progress(step=step, steps=1000, preview=None)


async def test_unread_progress_gives_way_but_nothing_else_does():
    outbox = Outbox(bound=4)
    failed = Failed(ValueError("end"))

    def put():
        outbox.put(Started())
        for step in range(1, 101):
            outbox.put(progress(step))
        outbox.put(failed)

    thread = threading.Thread(target=put)
    thread.start()
    thread.join()
    events = [await outbox.get(1.0) for _ in range(5)]
    assert events == [Started(), progress(1), progress(2), progress(100), failed]


async def test_waiting_for_an_event_ends():
    with pytest.raises(TimeoutError):
        await Outbox().get(0.01)


async def test_every_watcher_reads_every_change_in_order():
    feed = Feed()
    with feed.subscribe() as one, feed.subscribe() as other:
        feed.publish(1)
        feed.publish(2)
        feed.close()
        assert [await one.next(1.0), await one.next(1.0)] == [1, 2]
        assert not other.ended
        assert [await other.next(1.0), await other.next(1.0)] == [1, 2]
        assert one.ended
        assert other.ended


async def test_a_watcher_that_sleeps_loses_the_oldest():
    feed = Feed()
    with feed.subscribe() as watcher:
        for value in range(UNREAD + 3):
            feed.publish(value)
        assert await watcher.next(1.0) == 3


async def test_a_watcher_without_news_is_told_nothing_in_time():
    feed = Feed()
    with feed.subscribe() as watcher:
        assert await watcher.next(0.01) is None
