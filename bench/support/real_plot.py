"""A picture of real runs beside their simulations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.lines import Line2D

from argus_cli.simulate.palette import POLICIES

STYLES = {"real": ("-", "o"), "foreseen": (":", "x"), "replayed": ("--", "^")}
"""Lines and marks."""
COLOURS = {
    "argus": "argus",
    "paper": "paper",
    "best level": "clipper-ha",
    "fastest level": "proteus",
}
"""Of the systems, as the policies have them."""
PANELS = (("violations", "violations, % of requests", 100.0), ("quality", "mean quality", 1.0))


def draw(rows: Sequence[Mapping[str, Any]], systems: Sequence[str], path: Path) -> None:
    """Violations and quality by load: a colour for each system, a line for each telling."""
    figure, axes = plt.subplots(1, len(PANELS), figsize=(10.0, 4.6), layout="constrained")
    for axis, (name, label, times) in zip(axes, PANELS, strict=True):
        for system in systems:
            mine = [row for row in rows if row["system"] == system]
            for telling in STYLES:
                points = [
                    (row["share"], times * row[telling][name])
                    for row in mine
                    if row[telling][name] is not None
                ]
                axis.plot(
                    *zip(*points, strict=True) if points else ((), ()), **_look(system, telling)
                )
        axis.set(xlabel="load, of what the fastest level carries", ylabel=label)
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    named = [Line2D([], [], **_look(system, "real"), label=system) for system in systems]
    told = [
        Line2D([], [], **{**_look(systems[0], telling), "color": "0.3"}, label=telling)
        for telling in STYLES
    ]
    figure.legend(handles=[*named, *told], loc="outside lower center", ncols=len(named) + len(told))
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _look(system: str, telling: str) -> dict[str, Any]:
    """What was real stands out."""
    style, mark = STYLES[telling]
    real = telling == "real"
    return {
        "color": POLICIES[COLOURS[system]],
        "linestyle": style,
        "marker": mark,
        "markersize": 5 if real else 4,
        "linewidth": 2.2 if real else 1.0,
        "alpha": 1.0 if real else 0.6,
    }
