"""Violations against quality as the load varies, from little to more than anyone can carry.

The load is constant, in shares of what all workers carry at the fastest level in its best batches:
in the paper's setting, and on the small models' own ladder. Draws docs/frontier-paper.png and
docs/frontier-shapes.png.

    python bench/frontier.py
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from argus_cli.simulate.page import Sheet
from argus_cli.simulate.plots import Reached, draw_frontier
from support import asked as options
from support import paper, shapes, sheets
from support.asked import Asked
from support.experiment import Experiment, run
from support.goals import Judged, undominated
from support.loads import SHARES, Builder, Loaded
from support.parts import Part
from support.results import Document
from support.standing import QUALITY, VIOLATIONS, standing_of
from support.views import WHOLE

SETTINGS = ("paper", "shapes")
TITLES = {
    "paper": "Eight workers, six levels of SDXL, the paper's setting",
    "shapes": "Four CPU workers, the small models' own ladder",
}
MINUTES = 20.0
"""Of the paper's setting, which draws some seven images a second."""
QUICKENED = 1 / 5
"""Of that time for the small models, which draw some two hundred; long enough for the control loop,
which has a turn every ten seconds, to find the load."""
_QUICK = 0.2
_QUICK_SHARES = (1.2,)


def parts(asked: Asked) -> list[Part]:
    """Each setting at each load."""
    minutes = asked.minutes or (_QUICK if asked.quick else MINUTES)
    seconds = 60 * minutes * QUICKENED
    builds: dict[str, Builder] = {
        "paper": partial(paper.scenario, minutes=minutes),
        "shapes": partial(shapes.scenario, seconds=seconds),
    }
    return [
        Part(name=f"{setting}-{share:g}", build=Loaded(build=builds[setting], share=share))
        for setting in SETTINGS
        for share in (_QUICK_SHARES if asked.quick else SHARES)
    ]


def of(found: Document, setting: str) -> dict[float, Document]:
    """A setting's parts by load, from little to much."""
    prefix = f"{setting}-"
    return {float(n.removeprefix(prefix)): p for n, p in found.items() if n.startswith(prefix)}


def reached(found: Document, setting: str) -> dict[str, list[Reached]]:
    """By policy, where it came to at each load; left out where nothing was in time."""
    by_policy: dict[str, list[Reached]] = {}
    for share, part in of(found, setting).items():
        standing = standing_of(part, setting, WHOLE)
        for policy in part["policies"]:
            violations, quality = (standing.mean(policy, f) for f in (VIOLATIONS, QUALITY))
            if violations is not None and quality is not None:
                at = Reached(load=share, violations=violations, quality=quality)
                by_policy.setdefault(policy, []).append(at)
    return by_policy


def judge(found: Document) -> Iterator[Judged]:
    """At no load does a baseline dominate."""
    for name, part in found.items():
        yield undominated(standing_of(part, name, WHOLE))


def shown(found: Document) -> Iterator[tuple[str, Sheet]]:
    """All loads of a setting in one table."""
    for setting in SETTINGS:
        told = {f"{share:g}": part for share, part in of(found, setting).items()}
        yield f"\n{TITLES[setting]}: by load", sheets.loads_sheet(told, WHOLE)


def draw(found: Document, folder: Path) -> None:
    """A picture of each setting."""
    for setting in SETTINGS:
        if not of(found, setting):
            continue
        path = folder / f"frontier-{setting}.png"
        load = "shares of what the fastest level carries"
        draw_frontier(reached(found, setting), path, title=TITLES[setting], load=load)
        print(f"Picture in {path}")


def main(argv: Sequence[str] | None = None) -> None:
    asked = options.read(
        argv,
        name="frontier",
        about=__doc__.splitlines()[0],
        minutes=f"of the paper's setting; the small models take a fifth; else {MINUTES:g}",
    )
    question = "how much quality is left, and how much is violated, as the load rises?"
    experiment = Experiment(
        question=question, parts=parts(asked), judged=False, goals=judge, shown=shown
    )
    draw(run(experiment, asked)["parts"], asked.pictures)


if __name__ == "__main__":
    main()
