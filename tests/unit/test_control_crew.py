"""Workers that do not answer: what asking them costs."""

from argus_control import crew as following
from argus_control.crew import Crew, pause
from argus_core.errors import Unavailable
from helpers import eventually


async def test_who_never_answers_is_no_news(monkeypatch):
    asked, heard = [], []

    async def silent(address):
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


def test_the_more_workers_are_away_the_later_each_is_asked_again():
    assert [pause(workers) for workers in (1, 50, 1000)] == [0.5, 0.5, 10.0]
