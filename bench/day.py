"""How long a day of forty requests a second takes to simulate, policy by policy, on one core.

Told is the process's own time, so that others on the machine matter little; run it with one job.

    python bench/day.py
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from argus_cli.simulate.page import Sheet
from support import asked as options
from support import day, sheets
from support.asked import Asked
from support.experiment import Experiment, run
from support.goals import Judged
from support.parts import Part
from support.results import Document
from support.views import WHOLE

GOAL = 60.0
"""Seconds."""
NAME = "day"
_QUICK = 0.003
"""Hours."""


def parts(asked: Asked) -> list[Part]:
    """The day, or less of it."""
    hours = _QUICK if asked.quick else day.HOURS
    if asked.minutes is not None:
        hours = asked.minutes / 60
    return [Part(name=NAME, build=partial(day.scenario, hours=hours))]


def judge(found: Document) -> Iterator[Judged]:
    """A minute for each policy, and a day."""
    if NAME not in found:
        return
    hours = found[NAME]["scenario"]["seconds"] / 3600
    for policy, told in found[NAME]["policies"].items():
        yield Judged(
            part=NAME,
            view=WHOLE,
            goal=f"{policy}: at most {GOAL:g} s a day",
            met=told["seconds"] * day.HOURS / hours <= GOAL,
            told=f"{told['seconds']:.1f} s for {hours:.1f} h",
            numbers={"seconds": told["seconds"], "hours": hours},
        )


def shown(found: Document) -> Iterator[tuple[str, Sheet]]:
    """Seconds by policy."""
    if NAME in found:
        yield "\nTime to simulate", sheets.seconds_sheet(found[NAME])


def main(argv: Sequence[str] | None = None) -> None:
    asked = options.read(
        argv,
        name="day",
        about=__doc__.splitlines()[0],
        seeds=1,
        minutes="that the day is pressed into; else 1440",
    )
    question = "how long does a day of 40 requests a second take to simulate?"
    experiment = Experiment(
        question=question, parts=parts(asked), judged=False, goals=judge, shown=shown
    )
    run(experiment, asked)


if __name__ == "__main__":
    main()
