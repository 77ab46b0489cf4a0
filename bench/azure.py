"""DiffServe's setting: Azure's load on an A100's models, with loading charged and free.

DiffServe takes loading to be free, and so does its re-run, whose figures stand beside the policies'
on the largest trace. What is true of a prompt is in `support/azure.py`: it favours DiffServe.

    python bench/azure.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from support import asked as options
from support import azure
from support.asked import Asked
from support.experiment import Experiment, run
from support.parts import Part
from support.runs import BEST
from support.standing import VIOLATIONS
from support.views import WHOLE

QUICK = 1.0
"""Requests a second."""


def parts(asked: Asked) -> list[Part]:
    """Each trace, with loading charged and free."""
    traces = ["1to8"] if asked.quick else list(azure.TRACES)
    return [
        Part(
            name=f"{trace}-{'free' if free else 'charged'}",
            build=partial(
                azure.scenario, trace=trace, free=free, rate=QUICK if asked.quick else None
            ),
            bound=True,
            published=rerun() if trace == "4to32" and free else {},
        )
        for trace in traces
        for free in (False, True)
    ]


def rerun() -> Mapping[str, Mapping[str, Mapping[str, float]]]:
    """What DiffServe's own code made of it, run again."""
    rows = {
        f"{name}, its own code": {VIOLATIONS: violations, BEST: heavy}
        for name, (violations, heavy) in azure.RERUN.items()
    }
    return {WHOLE: rows}


def main(argv: Sequence[str] | None = None) -> None:
    asked = options.read(argv, name="azure", about=__doc__.splitlines()[0])
    question = "what do policies make of DiffServe's traces, loading charged and free?"
    run(Experiment(question=question, parts=parts(asked)), asked)


if __name__ == "__main__":
    main()
