"""Workers that do not answer: what asking them costs."""

import asyncio

from argus_control import crew as following
from argus_control.crew import Crew
from argus_control.pacing import Pacing
from argus_core.errors import Unavailable
from helpers import eventually


async def test_who_never_answers_is_no_news(monkeypatch):
    asked, heard = [], []

    async def silent(address, _peers):
        asked.append(address)
        raise Unavailable("nobody there")
        yield

    monkeypatch.setattr(following.workers, "watch", silent)
    monkeypatch.setattr(following, "_PAUSE", 0.0)
    loadouts = {f"w{n}": ("a",) for n in range(3)}
    crew = Crew(loadouts, ("a",), lambda: heard.append(True), obeys=False)
    crew.meet({name: f"{name}:1" for name in loadouts})
    await eventually(lambda: len(asked) > 6)
    await crew.close()
    assert len(heard) == 1  # That they are up.


def test_the_more_are_away_the_later_each_is_asked_again():
    pacing, found = Pacing(), []
    for pacing.resting in (1, 50, 1000):
        found.append(pacing.pause(0.5))
    assert found == [0.5, 0.5, 10.0]


async def test_the_silent_of_all_clusters_are_asked_no_oftener_than_those_of_one():
    pacing, back = Pacing(), []

    async def ask():
        await pacing.rest(0.0)
        back.append(True)

    async with asyncio.TaskGroup() as group:
        began = asyncio.get_running_loop().time()
        for _ in range(50):
            group.create_task(ask())
    assert asyncio.get_running_loop().time() - began >= 0.5
    assert (len(back), pacing.resting) == (50, 0)
