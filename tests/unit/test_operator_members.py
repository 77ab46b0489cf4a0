"""Pods and StatefulSets are asked for where they may have changed, and no oftener."""

import pytest

from argus_operator.members import Members
from helpers import Clock
from operator_support import raw


class Server:
    """Tells of one pod and its StatefulSet, and counts how often it is asked."""

    def __init__(self):
        self.asked, self.generation = [], 1

    async def list(self, kind, namespace, *, selector):
        self.asked.append(kind.name)
        if kind.name == "Pod":
            return [raw()]
        status = {"observedGeneration": 1, "updateRevision": "new"}
        return [{"metadata": {"name": "demo-cpu", "generation": self.generation}, "status": status}]


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def members(server):
    return Members(server, "here", "demo", clock=Clock())


async def test_what_nothing_was_heard_of_is_not_asked_for_again_for_a_while(server, members):
    first = await members.find(1)
    assert [pod.name for pod in first.pods] == ["demo-cpu-0"]
    assert first.newest == {"demo-cpu": "new"}
    members._clock.now = 299
    assert await members.find(1) is first
    assert server.asked == ["Pod", "StatefulSet"]
    members._clock.now = 301
    assert await members.find(1) is not first


async def test_another_document_or_news_is_cause_to_ask(server, members):
    await members.find(1)
    await members.find(2)
    members.forget()
    await members.find(2)
    assert server.asked == ["Pod", "StatefulSet"] * 3


async def test_a_template_that_its_controller_has_not_seen_has_no_revision(server, members):
    server.generation = 2
    assert (await members.find(1)).newest == {"demo-cpu": ""}


async def test_a_pod_that_is_no_longer_listed_is_missed(members):
    assert not members.lack(lambda name: False)
    await members.find(1)
    assert not members.lack(lambda name: name == "demo-cpu-0")
    assert members.lack(lambda name: False)
