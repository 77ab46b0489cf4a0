"""Who holds the lease acts, and nobody else; also who has stood still meanwhile."""

import pytest

from argus_core.errors import Unavailable
from argus_operator.gateway import Gateway
from argus_operator.kinds import CLUSTER
from argus_operator.lease import DURATION, Lease
from helpers import Clock


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("argus_operator.lease.time.monotonic", clock)
    return clock


class Leases:
    """One Lease at the API server's place."""

    def __init__(self):
        self.held = None

    async def get(self, kind, namespace, name):
        return self.held

    async def create(self, kind, namespace, thing):
        self.held = thing
        return thing

    async def replace(self, kind, namespace, name, thing):
        self.held = thing
        return thing


def lease(gateway, identity):
    return Lease(gateway, namespace="here", name="argus", identity=identity)


async def test_a_lease_that_is_renewed_is_nobody_elses(clock):
    gateway = Leases()
    first, second = lease(gateway, "a"), lease(gateway, "b")
    assert await first._try()
    for _ in range(10):
        clock.now += DURATION - 1
        assert await second._try() is False
        assert await first._try()
    assert gateway.held["spec"]["leaseTransitions"] == 1


async def test_a_lease_that_is_not_renewed_is_taken_over_and_then_held(clock):
    gateway = Leases()
    first, second = lease(gateway, "a"), lease(gateway, "b")
    await first._try()
    assert await second._try() is False
    clock.now += DURATION + 1
    assert await second._try()
    assert gateway.held["spec"]["holderIdentity"] == "b"
    assert await first._try() is False


async def test_a_lease_that_was_given_back_is_free_at_once():
    gateway = Leases()
    first = lease(gateway, "a")
    await first.acquire()
    await first.release()
    assert await lease(gateway, "b")._try()


async def test_its_time_runs_from_before_it_was_asked_for(clock):
    """Others count from the write, which came before the answer."""

    class Slow(Leases):
        async def replace(self, kind, namespace, name, thing):
            clock.now += 18
            return await super().replace(kind, namespace, name, thing)

    first = lease(Slow(), "a")
    await first.acquire()
    assert await first._try()
    clock.now += 1
    assert first.in_force
    clock.now += 2
    assert not first.in_force


async def test_who_stood_still_for_too_long_writes_nothing(clock):
    first = lease(Leases(), "a")
    assert not first.in_force
    await first.acquire()
    gateway = Gateway(None)
    gateway.may_write = lambda: first.in_force
    clock.now += DURATION
    with pytest.raises(Unavailable, match="lease"):
        await gateway.merge(CLUSTER, "here", "demo", {})
    with pytest.raises(Unavailable, match="lease"):
        await gateway.delete(CLUSTER, "here", "demo")
