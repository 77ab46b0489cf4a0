"""What happens to objects is heard once, page by page, and from where it was left."""

import pytest

from argus_core.errors import ArgusError
from argus_operator.gateway import Refused
from argus_operator.kinds import SERVICE
from argus_operator.watching import Watch


class Server:
    """An API server that lists two pages, and then has these watches, one after another."""

    def __init__(self, *watches):
        self.watches, self.asked = list(watches), []

    async def pages(self, kind, namespace, *, selector, page):
        self.asked.append("list")
        yield "7", [thing("a")]
        yield "7", [thing("b")]

    async def watch(self, kind, namespace, *, selector, version, lasts):
        self.asked.append(version)
        for event in self.watches.pop(0):
            if isinstance(event, ArgusError):
                raise event
            yield event


def thing(name, version="1"):
    return {"metadata": {"namespace": "here", "name": name, "resourceVersion": version}}


@pytest.fixture
def heard():
    return []


def watch_of(server, heard):
    def hear(kind, found):
        heard.append((kind, found["metadata"]["name"]))

    def listed(kind, namespace, there, version):
        assert (kind, namespace) == (SERVICE, None)
        heard.append((version, sorted(there)))

    return Watch(server, SERVICE, None, selector="argus.dev/cluster", hear=hear, listed=listed)


ALL = ("7", [("here", "a"), ("here", "b")])
"""What is told after the list."""


async def test_a_watch_goes_on_where_the_one_before_ended(heard, monkeypatch):
    monkeypatch.setattr("argus_operator.watching._AT_ONCE", 0.0)
    mark = ("BOOKMARK", thing("", "9"))
    server = Server([("ADDED", thing("c", "8")), mark], [("DELETED", thing("a", "10"))], [])
    watch = watch_of(server, heard)
    for _ in range(3):
        await watch.step()
    assert heard == [(None, "a"), (None, "b"), ALL, ("ADDED", "c"), ("DELETED", "a")]
    assert server.asked == ["list", "7", "9", "10"]


@pytest.mark.parametrize(
    "gone", [("ERROR", {"code": 410, "message": "too old"}), Refused("too old")]
)
async def test_what_the_server_has_forgotten_is_listed_again(heard, gone):
    server = Server([gone], [gone])
    watch = watch_of(server, heard)
    for _ in range(2):
        with pytest.raises(Refused, match="too old"):
            await watch.step()
    assert server.asked == ["list", "7", "list", "7"]
    assert heard.count(ALL) == 2


async def test_a_place_that_is_forgotten_in_the_end_is_no_trouble(heard, monkeypatch):
    monkeypatch.setattr("argus_operator.watching._AT_ONCE", 0.0)
    server = Server([("ADDED", thing("c", "8"))], [("ERROR", {"code": 410})], [])
    watch = watch_of(server, heard)
    for _ in range(3):
        await watch.step()
    assert server.asked == ["list", "7", "8", "list", "7"]


async def test_a_watch_that_ends_at_once_is_no_reason_to_ask_at_once(heard):
    with pytest.raises(ArgusError, match="at once"):
        await watch_of(Server([]), heard).step()
