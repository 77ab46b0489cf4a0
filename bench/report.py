"""Fill the tables of docs/experiments.md and README.md from the results files.

A table stands between `<!-- figures: NAME -->` and `<!-- /figures -->`, where NAME is one of

    EXPERIMENT/from        command, date, code, data, versions, time
    EXPERIMENT/PART/VIEW   all policies in a view of a part
    EXPERIMENT/goals       what was judged
    EXPERIMENT/against     Argus and each baseline, beside the claims of the paper's abstract
    EXPERIMENT/shown       the experiment's own tables
    EXPERIMENT/brief       a few of its figures, for README

    python bench/report.py
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import ablations
import day
import frontier
import paper
from argus_cli.simulate.page import Sheet
from support import results, sheets
from support.brief import BRIEF
from support.results import Document

_ROOT = Path(__file__).resolve().parents[1]
PAGE = _ROOT / "docs" / "experiments.md"
PAGES = (PAGE, _ROOT / "README.md")
SHOWN: Mapping[str, Callable[[Document], Iterable[tuple[str, Sheet]]]] = {
    "ablations": ablations.shown,
    "day": day.shown,
    "frontier": frontier.shown,
    "paper": paper.sweep,
}
LACKING = "Not run yet."

_BLOCK = re.compile(r"(<!-- figures: (.+?) -->\n).*?(<!-- /figures -->)", re.DOTALL)


def filled(page: str, folder: Path = results.FOLDER) -> str:
    """The page with its tables as the results in a folder say.

    Raises:
        KeyError: a block's name is none.
    """
    return _BLOCK.sub(lambda found: f"{found[1]}{block(found[2], folder)}\n{found[3]}", page)


def block(name: str, folder: Path) -> str:
    """What a name stands for."""
    experiment, _, rest = name.partition("/")
    document = results.read(folder / f"{experiment}.json")
    if not document:
        return LACKING
    if rest == "from":
        return origin(document)
    if rest == "shown":
        told = SHOWN[experiment](document["parts"])
        tables = [f"**{title.strip()}**\n\n{sheets.markdown(sheet)}" for title, sheet in told]
        return "\n\n".join(tables) or LACKING
    sheet = table(experiment, rest, document)
    return LACKING if sheet is None else sheets.markdown(sheet)


def table(experiment: str, rest: str, document: Document) -> Sheet | None:
    """The one table of a block; None where it was not run."""
    if rest == "brief":
        return BRIEF[experiment](document)
    if rest in {"goals", "against"}:
        make = sheets.goals_sheet if rest == "goals" else sheets.against_sheet
        return make(document[rest]) if document[rest] else None
    part, _, view = rest.partition("/")
    return sheets.view_sheet(document["parts"][part], view) if part in document["parts"] else None


def origin(document: Document) -> str:
    """Where an experiment's figures come from, in a line."""
    parts = document["parts"].values()
    policies = [found for part in parts for found in part["policies"].values()]
    seeds = sorted({len(part["parameters"]["seeds"]) for part in parts})
    seconds = sum(
        found["seconds"] * len(part["parameters"]["seeds"])
        for part in parts
        for found in part["policies"].values()
    )
    told = {
        "Command": f"`{document['command']}`",
        "run": _several(found["date"] for found in policies),
        "code": _several(found["code"] for found in policies),
        "seeds": _several(str(count) for count in seeds),
        "data": _several(part["parameters"]["data"] for part in parts),
        "versions": ", ".join(f"{name} {found}" for name, found in document["versions"].items()),
        "simulated in": f"{seconds / 60:.1f} minutes of one core",
    }
    return "; ".join(f"{name}: {value}" for name, value in told.items()) + "."


def _several(values: Iterable[str]) -> str:
    return ", ".join(sorted(set(values)))


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only tell whether the pages agree")
    asked = parser.parse_args(argv)
    for page in PAGES:
        before = page.read_text("utf-8")
        after = filled(before)
        if asked.check and before != after:
            sys.exit(f"{page} does not agree with the results; python bench/report.py fills it")
        page.write_text(after, "utf-8")


if __name__ == "__main__":
    main()
