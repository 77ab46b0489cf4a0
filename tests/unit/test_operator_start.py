"""What the operator waits for before it acts, and that it can be told to end meanwhile."""

import asyncio
from contextlib import suppress

import pytest

from argus_core.errors import NotFound, Unavailable
from argus_operator import __main__ as process
from argus_operator.settings import Settings
from helpers import eventually


class Server:
    """An API server that does not answer, or does not know ArgusClusters, for so many asks."""

    def __init__(self, *errors):
        self.errors, self.asked = list(errors), []

    async def list(self, kind, namespace):
        self.asked.append(namespace)
        if self.errors:
            raise self.errors.pop(0)
        return []


async def stopping():
    """A task that ends when the operator is told to."""
    await asyncio.Event().wait()
    return True


async def ends(task):
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@pytest.fixture
async def unless():
    task = asyncio.create_task(stopping())
    yield task
    await ends(task)


async def test_a_step_is_done(unless):
    done = []

    async def step():
        done.append(True)

    assert await process._done(step(), unless=unless) is True
    assert done


async def test_what_a_step_fails_with_is_raised(unless):
    async def step():
        raise Unavailable("lost the lease")

    with pytest.raises(Unavailable, match="lost the lease"):
        await process._done(step(), unless=unless)


async def test_a_step_is_given_up_when_the_operator_is_told_to_end():
    stop, given_up = asyncio.Event(), []

    async def step():
        try:
            await asyncio.Event().wait()
        finally:
            given_up.append(True)

    waiting = asyncio.create_task(stop.wait())
    doing = asyncio.create_task(process._done(step(), unless=waiting))
    await asyncio.sleep(0)
    stop.set()
    async with asyncio.timeout(5):
        assert await doing is False
    await eventually(lambda: given_up)


async def test_the_kind_is_waited_for_and_told_of_once(monkeypatch, caplog):
    monkeypatch.setattr(process, "_BEAT", 0.0)
    unknown = NotFound("the server could not find the requested resource")
    server = Server(unknown, Unavailable("starting"), unknown, unknown)
    await process._kind_is_known(server, Settings(namespaces=("here", "there")))
    assert server.asked == ["here"] * 5
    told = [r.message for r in caplog.records if "argus-crds" in r.message]
    assert len(told) == 1


async def test_a_kind_that_is_known_is_asked_for_once():
    server = Server()
    await process._kind_is_known(server, Settings())
    assert server.asked == [None]
