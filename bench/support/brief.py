"""What README shows of the results: few rows, without intervals."""

from __future__ import annotations

from collections.abc import Mapping

from argus_cli.simulate.figures import NONE
from argus_cli.simulate.page import Sheet
from support.results import Document
from support.sheets import MAIN

NAMES: Mapping[str, str] = {
    "argus": "Argus",
    "paper": "the paper's own policy",
    "sommelier": "Sommelier",
    "nirvana": "NIRVANA",
    "clipper-ht": "the fastest level alone",
    "clipper-ha": "the best level alone",
}
"""Whom the paper's setting shows, and what as."""
SYSTEMS: Mapping[str, str] = {
    "argus": "Argus",
    "paper": "the paper's policy",
    "fastest level": "fastest level alone",
    "best level": "best level alone",
}


def paper_sheet(document: Document) -> Sheet:
    """The paper's bursts: who is late, and how good what is in time looks."""
    policies = document["parts"]["main"]["policies"]
    late, _, quality, value = MAIN
    rows = []
    for name, shown in NAMES.items():
        found = policies[name]["views"]["bursts"]["figures"]
        late_of, *rest = (found[figure.field]["mean"] for figure in (late, quality, value))
        rows.append([shown, f"{100 * late_of:.2f} %", *(f"{figure:.3f}" for figure in rest)])
    return Sheet(head=["policy", "not in time", "quality of what was", "value"], rows=rows)


def real_sheet(document: Document) -> Sheet:
    """Real processes by load: what was not in time, and how good what was looked."""
    runs = {(run["share"], run["system"]): run["real"] for run in document["runs"]}
    rows = []
    for share in dict.fromkeys(share for share, _ in runs):
        told = (runs[share, system] for system in SYSTEMS)
        rows.append([f"{share:g}", *map(_missed, told)])
    return Sheet(head=["load", *SYSTEMS.values()], rows=rows)


def _missed(run: Mapping[str, float | None]) -> str:
    quality = NONE if run["quality"] is None else f"{run['quality']:.2f}"
    return f"{100 * (run['violations'] or 0):.1f} %, {quality}"


BRIEF = {"paper": paper_sheet, "real": real_sheet}
"""By experiment."""
