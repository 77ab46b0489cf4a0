"""The paper's own experiment: three bursts on eight workers, and what its authors left open.

main               the published workload, the deadline three times the K = 0 time
plateau            an hour of the bursts' load alone, beside what nobody can beat
deadline-1.5 to 6  the same under other deadlines, for the published one is not told
batched            the gain of batches in batches, not in every image's seconds
outage             the cache down half-way, for good: smaller models must take over
outage-worse       the same, smaller models being much worse than skipped steps

python bench/paper.py
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

from argus_cli.simulate.page import Sheet
from argus_core.simulator.scenario import Scenario
from support import asked as options
from support import goals, paper, sheets
from support.asked import Asked
from support.experiment import Experiment, run
from support.goals import Judged
from support.parts import Part
from support.results import Document
from support.standing import A_MINUTE, GOODPUT, OURS, QUALITY, VIOLATIONS, standing_of
from support.views import WHOLE, Always, Outage, View, whole

BURSTS, LULLS, FIRST, HOUR = "bursts", "between", "first 10 minutes", "first hour"
MULTIPLES = (1.5, 2.0, 4.0, 5.0, 6.0)
"""Of the K = 0 time, besides three."""
FEW = ("argus", "paper", "pac")
"""Policies that the other deadlines are tried with."""
QUICK = 0.2
"""Minutes."""

IN_TIME, OF = 389.0, 391.0
VIOLATED = 0.5
"""A minute."""
GOOD, BETTER = 0.945, 0.01
OUTAGE = 0.01
"""Share of violations; an oracle with the same load times, which knows of the outage beforehand,
has none."""


def parts(asked: Asked) -> list[Part]:
    """All flavours; with `--minutes`, each is so long a stretch of the bursts' load alone.

    When it shall be quick, only the first two.
    """
    minutes = QUICK if asked.quick and asked.minutes is None else asked.minutes
    build = partial(paper.scenario, minutes=minutes)
    steady = partial(build, minutes=60.0 if minutes is None else minutes)
    bursts: View = Always(stretches=paper.BURSTS) if minutes is None else whole
    between: dict[str, View] = {LULLS: Always(stretches=paper.LULLS)} if minutes is None else {}
    views = {BURSTS: bursts, **between, WHOLE: whole}
    worse = partial(build, smaller=True, outage=True, beyond=dict(paper.WORSE))
    found = [
        Part(name="main", build=build, views=views, judged=BURSTS, published=plots()),
        Part(name="plateau", build=steady, views={WHOLE: whole}, judged=WHOLE, bound=True),
        *(_under(steady, multiple) for multiple in MULTIPLES),
        Part(
            name="batched",
            build=partial(build, batched=True),
            views=views,
            judged=BURSTS,
            published={BURSTS: printed()},
        ),
        _without_cache("outage", partial(build, smaller=True, outage=True)),
        _without_cache("outage-worse", worse),
    ]
    return found[:2] if asked.quick else found


def _under(build: partial[Scenario], multiple: float) -> Part:
    """Another deadline."""
    return Part(
        name=f"deadline-{multiple:g}",
        build=partial(build, multiple=multiple),
        usual=FEW,
        views={WHOLE: whole},
        judged=WHOLE,
    )


def _without_cache(name: str, build: partial[Scenario]) -> Part:
    """The cache down half-way."""
    views: dict[str, View] = {FIRST: Outage(seconds=600), HOUR: Outage(seconds=3600), WHOLE: whole}
    return Part(name=name, build=build, usual=FEW, views=views, judged=WHOLE)


def plots() -> Mapping[str, Mapping[str, Mapping[str, float]]]:
    """What was read off the paper's plots."""
    bursts = {
        f"{name}, published": {GOODPUT: timely, QUALITY: q, A_MINUTE: violated}
        for name, (timely, q, violated) in paper.PUBLISHED.items()
    }
    lulls = {f"{name}, published": {QUALITY: q} for name, q in paper.PUBLISHED_LULLS.items()}
    return {BURSTS: bursts, LULLS: lulls}


def printed() -> Mapping[str, Mapping[str, float]]:
    """What the paper prints of batches."""
    return {
        f"{name}, published": {GOODPUT: timely, VIOLATIONS: violations}
        for name, (timely, violations) in paper.PUBLISHED_BATCHED.items()
    }


def judge(found: Document) -> Iterator[Judged]:
    """The goals of this experiment alone."""
    if _has_ours(found, "main"):
        yield from in_bursts(found["main"])
    for name in ("outage", "outage-worse"):
        if _has_ours(found, name):
            yield from without_cache(name, found[name])


def _has_ours(found: Document, name: str) -> bool:
    return name in found and OURS in found[name]["policies"]


def in_bursts(part: Document) -> Iterable[Judged]:
    """Figures to be reached in the bursts."""
    standing = standing_of(part, "main", BURSTS)
    yield goals.at_most(
        standing,
        VIOLATIONS,
        1 - IN_TIME / OF,
        goal=f"at least {IN_TIME:g} of {OF:g} a minute in time",
        form="{:.3%} are not",
    )
    yield goals.at_most(
        standing,
        A_MINUTE,
        VIOLATED,
        goal=f"at most {VIOLATED:g} violations a minute",
        form="{:.3f} a minute",
    )
    yield goals.at_least(
        standing, QUALITY, GOOD, goal=f"quality at least {GOOD:g}", form="quality {:.4f}"
    )
    yield goals.ahead(
        standing, QUALITY, BETTER, goal=f"quality {BETTER:g} above the paper's policy"
    )


def without_cache(name: str, part: Document) -> Iterator[Judged]:
    """Violations when the cache is down, at once, soon, and over all."""
    for view in part["parameters"]["views"]:
        yield goals.at_most(
            standing_of(part, name, view),
            VIOLATIONS,
            OUTAGE,
            goal=f"at most {OUTAGE:.0%} violated",
            form="{:.3%}",
        )


def sweep(found: Document) -> Iterator[tuple[str, Sheet]]:
    """The deadlines under each other."""
    told = {n: p for n, p in found.items() if n == "plateau" or n.startswith("deadline")}
    if told:
        yield "\nUnder the bursts' load, by deadline", sheets.parts_sheet(told, WHOLE)


def main(argv: Sequence[str] | None = None) -> None:
    asked = options.read(
        argv,
        name="paper",
        about=__doc__.splitlines()[0],
        minutes="so long a stretch of the bursts' load alone, rather than all 14 hours",
    )
    question = "what do policies make of the paper's bursts, in the paper's setting?"
    experiment = Experiment(question=question, parts=parts(asked), goals=judge, shown=sweep)
    run(experiment, asked)


if __name__ == "__main__":
    main()
