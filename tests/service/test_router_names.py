"""Workers found by their name in DNS: looked up again and again, and kept where that fails."""

import pytest

from argus_core.errors import InvalidRequest
from argus_router.router import Router
from argus_rpc.roster import Names, found
from helpers import eventually
from router_support import ScriptedWorker, cluster_of


class Dns:
    """A resolver that the test changes."""

    def __init__(self, *addresses):
        self.addresses, self.asked = list(addresses), 0

    async def __call__(self, host):
        self.asked += 1
        if not self.addresses:
            raise OSError("no such host")
        return list(self.addresses)


def names(dns, *addresses, **fields):
    addresses = addresses or ["dns:///workers.example:50051"]
    return Names(addresses, look_up=dns, **{"every": 0.02, "least": 0.01} | fields)


async def test_a_name_stands_for_all_its_addresses_of_both_families():
    mine = names(Dns("10.0.0.1", "10.0.0.2", "fd00::1"), "dns:///a.example:50051", "b:1")
    expected = {"10.0.0.1:50051", "10.0.0.2:50051", "[fd00::1]:50051", "b:1"}
    assert await anext(mine) == expected


async def test_it_is_looked_up_again_and_told_only_where_it_changed():
    dns = Dns("10.0.0.1")
    mine = names(dns)
    assert await anext(mine) == {"10.0.0.1:50051"}
    dns.addresses = ["10.0.0.2"]
    assert await anext(mine) == {"10.0.0.2:50051"}


async def test_a_name_that_cannot_be_looked_up_keeps_its_workers_and_that_is_said_once(caplog):
    dns = Dns("10.0.0.1")
    mine = names(dns)
    await anext(mine)
    dns.addresses = []
    caplog.set_level("INFO")

    async def follow():
        return await anext(mine)

    import asyncio  # noqa: PLC0415

    task = asyncio.create_task(follow())
    asked = dns.asked
    await eventually(lambda: dns.asked > asked + 3)
    assert not task.done()
    assert caplog.text.count("cannot be looked up") == 1
    dns.addresses = ["10.0.0.1", "10.0.0.3"]
    assert await task == {"10.0.0.1:50051", "10.0.0.3:50051"}
    assert caplog.text.count("can be looked up again") == 1


async def test_a_loss_has_it_looked_up_at_once():
    dns = Dns("10.0.0.1")
    mine = names(dns, every=60.0)
    await anext(mine)
    dns.addresses = ["10.0.0.2"]
    mine.again()
    assert await anext(mine) == {"10.0.0.2:50051"}


def test_a_name_without_a_port_is_refused():
    with pytest.raises(InvalidRequest, match="HOST:PORT"):
        found(["dns:///workers.example"])


async def test_the_system_is_asked_where_nobody_else_is():
    assert await anext(found(["dns:///localhost:7"])) & {"127.0.0.1:7", "[::1]:7"}


async def test_router_follows_a_name_to_a_worker_that_takes_anothers_place():
    old = ScriptedWorker("w0", "tiny")
    await old.start()
    port = old.address.rpartition(":")[2]
    dns = Dns("127.0.0.1")
    roster = names(dns, f"dns:///workers.example:{port}", every=60.0)
    router = Router(cluster_of(), workers=roster)
    await router.start()
    try:
        fleet = router.dispatcher.fleet
        await eventually(lambda: [w.name for w in fleet if w.ready] == ["w0"])
        asked = dns.asked
        await old.die()
        await eventually(lambda: dns.asked > asked)
    finally:
        await router.stop(0)
