"""The operator ends in bounded time, whatever its keepers wait for."""

import asyncio
from contextvars import ContextVar

from argus_core.errors import Unavailable
from argus_operator.health import Heartbeats
from argus_operator.keeper import Keeper
from argus_operator.metrics import Metrics
from argus_operator.office import Office
from argus_operator.outage import Outage
from argus_operator.settings import Settings
from helpers import eventually

CLUSTER = {"metadata": {"namespace": "here", "name": "demo", "uid": "1"}}


class Silent:
    """An API server that never answers; a request to it may refuse to be given up."""

    def __init__(self, *, stubborn: bool) -> None:
        self._stubborn = stubborn
        self.outage = Outage()
        self.asked, self.let_go = asyncio.Event(), asyncio.Event()

    async def get(self, *_: object) -> None:
        self.asked.set()
        try:
            await self.let_go.wait()
        except asyncio.CancelledError:
            if not self._stubborn:
                raise
            await self.let_go.wait()
        raise Unavailable("gone")


async def _opened(gateway: Silent) -> Office:
    office = Office(gateway, Settings(), Metrics(), Heartbeats())
    office.cluster("ADDED", CLUSTER)
    await asyncio.wait_for(gateway.asked.wait(), 30)
    return office


async def test_keepers_that_wait_for_an_answer_end_at_once():
    office = await _opened(Silent(stubborn=False))
    assert await office.close(within=30) == []


async def test_a_keeper_that_does_not_end_is_named_and_not_waited_for():
    gateway = Silent(stubborn=True)
    office = await _opened(gateway)
    try:
        assert await office.close(within=0.05) == ["here/demo"]
    finally:
        gateway.let_go.set()


async def test_a_keeper_keeps_nothing_of_the_event_that_opened_it():
    event = ContextVar("event")
    event.set("a whole object")

    class Curious(Silent):
        async def get(self, *_: object) -> None:
            self.known = event.get(None)
            await super().get()

    gateway = Curious(stubborn=False)
    office = await _opened(gateway)
    assert gateway.known is None
    await office.close()


async def test_a_cluster_that_vanished_untold_is_kept_no_more():
    class Empty:
        outage = Outage()

        async def get(self, *_: object) -> None:
            return None

    metrics = Metrics()
    office = Office(Empty(), Settings(), metrics, Heartbeats())

    def kept():
        return metrics.registry.get_sample_value("argus_operator_clusters")

    office.cluster("ADDED", CLUSTER)
    assert kept() == 1
    await eventually(lambda: kept() == 0)
    office.cluster("ADDED", CLUSTER)
    assert kept() == 1
    await office.close()


async def test_a_cluster_is_looked_at_again_for_what_its_document_says_and_not_for_its_status(
    monkeypatch,
):
    """Else each status that the operator writes would have it look once more."""
    ending = {**CLUSTER["metadata"], "generation": 1, "deletionTimestamp": "now"}
    looks, wakes = [], []

    class Known:
        outage = Outage()

        async def get(self, *_: object) -> dict:
            looks.append(1)
            return {"metadata": {**ending, "resourceVersion": "1"}}

    monkeypatch.setattr(Keeper, "wake", lambda _: wakes.append(1))
    office = Office(Known(), Settings(), Metrics(), Heartbeats())
    office.cluster("ADDED", {"metadata": ending})
    await eventually(lambda: looks)
    office.cluster("MODIFIED", {"metadata": {**ending, "resourceVersion": "2"}, "status": {}})
    assert not wakes
    office.cluster("MODIFIED", {"metadata": {**ending, "generation": 2}})
    office.cluster(
        "MODIFIED", {"metadata": {**ending, "annotations": {"argus.dev/paused": "true"}}}
    )
    assert len(wakes) == 2
    await office.close()


async def test_who_waits_for_a_turn_is_not_said_to_hang():
    """Turns may take long when there are many clusters; those who have one promise to end."""
    now = [0.0]
    beats = Heartbeats(lambda: now[0])
    gateway = Silent(stubborn=False)
    office = Office(gateway, Settings(), Metrics(), beats)
    for number in range(20):
        meta = {**CLUSTER["metadata"], "name": f"demo-{number}"}
        office.cluster("ADDED", {"metadata": meta})
    await asyncio.wait_for(gateway.asked.wait(), 30)
    now[0] = 1e6
    assert 0 < len(beats.late()) < 20
    await office.close()
    assert not beats.late()


async def test_an_office_without_clusters_closes():
    assert await Office(Silent(stubborn=False), Settings(), Metrics(), Heartbeats()).close() == []
