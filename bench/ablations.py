"""What each idea in Argus's policy is worth: the policy with one left out, and as it is.

In the bursts of the paper's setting, where one model serves at several levels, and on DiffServe's
largest trace, where levels are models that must be loaded.

    python bench/ablations.py
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from argus_cli.simulate.page import Sheet
from argus_core.policies.argus import Argus, Ideas
from support import asked as options
from support import azure, paper, sheets
from support.asked import Asked
from support.experiment import Experiment, run
from support.parts import Part
from support.results import Document
from support.runs import Factory
from support.standing import OURS

WITHOUT: Mapping[str, Ideas] = {
    "prices off": Ideas(prices=False),
    "backlog off": Ideas(backlog=False),
    "predictor blind": Ideas(looks=False),
    "late binding off": Ideas(late=False),
    "all off": Ideas(prices=False, backlog=False, looks=False, late=False),
}
"""By name: what is left of the policy."""
MINUTES = 120.0
"""Of the bursts' load; as long as one burst."""
_QUICK = 0.2


def policies() -> dict[str, Factory]:
    """As it is, and without each idea."""
    return {
        OURS: Argus,
        **{name: partial(Argus, name=name, ideas=ideas) for name, ideas in WITHOUT.items()},
    }


def parts(asked: Asked) -> list[Part]:
    """The two settings."""
    minutes = asked.minutes or (_QUICK if asked.quick else MINUTES)
    trace = partial(azure.scenario, trace="1to8", rate=0.5) if asked.quick else azure.scenario
    return [
        Part(name="bursts", build=partial(paper.scenario, minutes=minutes), policies=policies()),
        Part(name="azure", build=trace, policies=policies()),
    ]


def shown(found: Document) -> Iterator[tuple[str, Sheet]]:
    """What each is worth."""
    for name, part in found.items():
        if OURS in part["policies"]:
            yield f"\nWhat ideas are worth: {name}", sheets.worth_sheet(part, name, part["judged"])


def main(argv: Sequence[str] | None = None) -> None:
    asked = options.read(
        argv,
        name="ablations",
        about=__doc__.splitlines()[0],
        minutes=f"of the bursts' load; else {MINUTES:g}",
    )
    question = "what is each idea worth?"
    run(Experiment(question=question, parts=parts(asked), judged=False, shown=shown), asked)


if __name__ == "__main__":
    main()
