"""Objects are applied when they must be, and no oftener; events are told, and never flood."""

import pytest

from argus_core.errors import Unavailable
from argus_operator.gateway import Refused
from argus_operator.health import Heartbeats
from argus_operator.herald import Allowance
from argus_operator.inventory import Inventory
from argus_operator.kinds import DEPLOYMENT, SERVICE
from helpers import Clock


class Recorded:
    """Stands at the API server's place: takes what is applied, or refuses it."""

    def __init__(self):
        self.applied, self.deleted, self.listed = [], [], {}
        self.refuses = {}
        self.things = []
        """Likewise, whole."""
        self.looks = 0
        """How often all Services were asked for."""

    async def apply(self, thing):
        name = thing["metadata"]["name"]
        if name in self.refuses:
            raise self.refuses[name]
        self.applied.append(name)
        self.things.append(thing)
        return thing

    async def list(self, kind, namespace, *, selector):
        self.looks += kind.name == "Service"
        return self.listed.get(kind.name, [])

    async def delete(self, kind, namespace, name, *, uid):
        self.deleted.append(name)
        if name in self.refuses:
            raise self.refuses[name]


def service(name, **spec):
    return {"kind": "Service", "metadata": {"name": name, "uid": name}, "spec": spec}


def ours(name):
    thing = service(name)
    thing["metadata"]["ownerReferences"] = [{"kind": "ArgusCluster"}]
    thing["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "argus-operator"}
    return thing


@pytest.fixture
def gateway():
    return Recorded()


async def applied(inventory, wanted, **how):
    inventory.want(wanted)
    await inventory.apply("here", "demo", **how)


async def test_what_may_not_be_deleted_is_left_and_holds_up_nothing(gateway):
    """As after a rollback: the newer operator made something of a kind that this one only makes."""
    gateway.refuses["newer"] = Refused("services is forbidden")
    gateway.listed["Service"] = [ours("newer"), ours("older")]
    inventory = Inventory(gateway, resync=0, clock=Clock())
    for _ in range(2):
        await applied(inventory, [service("a")])
    assert gateway.applied
    assert gateway.deleted.count("newer") == 1
    assert "older" in gateway.deleted
    assert not inventory.refusals


async def test_what_is_as_it_shall_be_is_not_applied_again(gateway):
    inventory = Inventory(gateway, resync=300, clock=Clock())
    for _ in range(3):
        await applied(inventory, [service("a", x=1), service("b")])
    assert gateway.applied == ["a", "b"]
    await applied(inventory, [service("a", x=2), service("b")])
    assert gateway.applied == ["a", "b", "a"]


async def test_all_is_looked_at_after_a_while_and_what_differs_applied_again(gateway):
    clock = Clock()
    inventory = Inventory(gateway, resync=300, clock=clock)
    wanted = [service("kept", x=1), service("spoilt", x=1), service("lost", x=1)]
    await applied(inventory, wanted, fresh=True)
    kept, spoilt, _ = gateway.things
    spoilt = {**spoilt, "spec": {"x": 2}}
    gateway.listed = {"Service": [{**kept, "status": {}}, spoilt]}
    await applied(inventory, wanted)
    assert gateway.looks == 0
    clock.now = 301
    await applied(inventory, wanted)
    assert gateway.applied == ["kept", "spoilt", "lost", "spoilt", "lost"]
    assert gateway.looks == 1


async def test_a_new_process_applies_only_what_it_would_say_otherwise(gateway):
    wanted = [service("a", x=1), service("b", x=1, old=1)]
    await applied(Inventory(gateway, resync=300, clock=Clock()), wanted)
    gateway.listed = {"Service": gateway.things}
    # What is no longer said must go, though the object says all that it shall.
    wanted = [service("a", x=1), service("b", x=1)]
    await applied(Inventory(gateway, resync=300, clock=Clock()), wanted)
    assert gateway.applied == ["a", "b", "b"]


async def test_drift_is_seen_and_what_others_add_is_none(gateway):
    inventory = Inventory(gateway, resync=300, clock=Clock())
    await applied(inventory, [service("a", x=1)])
    (live,) = gateway.things
    assert not inventory.saw({**live, "spec": {"x": 1, "more": 2}}, deleted=False)
    assert not inventory.saw(service("other"), deleted=False)
    assert inventory.saw({**live, "spec": {"x": 2}}, deleted=False)
    await applied(inventory, [service("a", x=1)])
    assert gateway.applied == ["a", "a"]
    assert inventory.saw(live, deleted=True)


def seen(thing, version, **spec):
    """As an event tells of it, last written by somebody's editor."""
    managers = [
        {"manager": "argus-operator", "time": "2026-01-01T00:00:09Z"},
        {"manager": "editor", "time": "2026-01-01T00:00:08Z"},
        {"manager": "controller", "time": "2026-01-01T00:00:10Z", "subresource": "status"},
    ]
    meta = {**thing["metadata"], "resourceVersion": str(version), "managedFields": managers}
    return {**thing, "metadata": meta, "spec": {**thing["spec"], **spec}}


async def test_what_was_there_before_it_was_written_is_no_drift(gateway):
    inventory, thing = Inventory(gateway, resync=300, clock=Clock()), service("a", x=1)
    thing["metadata"]["resourceVersion"] = "10"
    await applied(inventory, [thing])
    assert not inventory.saw(seen(thing, 9, x=0), deleted=False)
    assert inventory.saw(seen(thing, 11, x=0), deleted=False)


async def test_who_changes_an_object_back_each_time_is_named_and_answered_ever_later(gateway):
    clock = Clock()
    inventory, thing = Inventory(gateway, resync=1e9, clock=clock), service("a", x=1)
    writes = []
    for clock.now in range(600):
        before = len(gateway.applied)
        await applied(inventory, [thing])
        if len(gateway.applied) > before:
            writes.append(clock.now)
            assert inventory.saw(seen(thing, clock.now + 1, x=2), deleted=False)
    assert writes[:6] == [0, 1, 2, 3, 5, 9]
    assert [later - sooner for sooner, later in zip(writes[-4:], writes[-3:], strict=False)] == [
        60,
        60,
        60,
    ]
    assert inventory.contested() == {"Service a": "editor"}
    clock.now += 301
    assert inventory.contested() == {}


async def test_one_refusal_is_told_and_holds_up_nothing_else(gateway):
    gateway.refuses["a"] = Refused("spec.x: not so")
    inventory = Inventory(gateway, resync=300, clock=Clock())
    await applied(inventory, [service("a"), service("b")])
    assert inventory.refusals == {"Service a": "spec.x: not so"}
    assert gateway.applied == ["b"]
    gateway.refuses.clear()
    await applied(inventory, [service("a"), service("b")])
    assert inventory.refusals == {}
    assert "a" in gateway.applied


async def test_an_api_server_that_is_away_is_no_refusal(gateway):
    gateway.refuses["a"] = Unavailable("away")
    inventory = Inventory(gateway, resync=300, clock=Clock())
    with pytest.raises(Unavailable):
        await applied(inventory, [service("a")])


async def test_only_what_is_the_operators_own_is_taken_away(gateway):
    inventory = Inventory(gateway, resync=300, clock=Clock())
    gateway.listed = {"Service": [ours("a"), ours("old"), service("foreign")]}
    await applied(inventory, [service("a")])
    assert gateway.deleted == ["old"]


def test_events_never_flood():
    clock = Clock()
    allowance = Allowance(clock)
    assert sum(allowance.grants("Planned", str(n)) for n in range(1000)) == 20
    clock.now = 3600.0
    assert sum(allowance.grants("Planned", str(n)) for n in range(1000)) == 20


def test_the_same_words_are_told_once_in_a_while():
    clock = Clock()
    allowance = Allowance(clock)
    assert allowance.grants("Planned", "x")
    assert not allowance.grants("Planned", "x")
    clock.now = 601.0
    assert allowance.grants("Planned", "x")


def test_who_does_not_keep_a_promise_to_be_heard_is_late():
    clock = Clock()
    beats = Heartbeats(clock)
    beats.beat("loop", within=10)
    beats.beat("here/demo", within=100)
    clock.now = 50.0
    assert beats.late() == {"loop": 50.0}
    beats.forget("loop")
    assert beats.late() == {}


async def test_what_a_list_lacks_is_applied_again_unless_it_is_newer_than_the_list(gateway):
    inventory = Inventory(gateway, resync=1e9, clock=Clock())
    written = [service("old"), service("kept"), service("new")]
    for thing, version in zip(written, ("5", "6", "8"), strict=True):
        thing["metadata"]["resourceVersion"] = version
    await applied(inventory, written, fresh=True)
    assert not inventory.lacks(DEPLOYMENT, lambda _: False, "7")
    assert inventory.lacks(SERVICE, lambda name: name == "kept", "7")
    assert not inventory.lacks(SERVICE, lambda name: name == "kept", "7")
    await applied(inventory, written)
    assert gateway.applied == ["old", "kept", "new", "old"]
