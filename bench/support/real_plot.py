"""A picture of real runs beside their simulations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

STYLES = {"real": ("-", "o"), "foreseen": (":", "x"), "replayed": ("--", "^")}
"""Lines and marks."""
PANELS = (("violations", "violations, % of requests", 100.0), ("quality", "mean quality", 1.0))


def draw(rows: Sequence[Mapping[str, Any]], systems: Sequence[str], path: Path) -> None:
    """Violations and quality by load: a colour for each system, a line for each telling."""
    figure, axes = plt.subplots(1, len(PANELS), figsize=(10.0, 4.2), layout="constrained")
    for axis, (name, label, times) in zip(axes, PANELS, strict=True):
        for number, system in enumerate(systems):
            mine = [row for row in rows if row["system"] == system]
            for telling, (style, mark) in STYLES.items():
                points = [
                    (row["share"], times * row[telling][name])
                    for row in mine
                    if row[telling][name] is not None
                ]
                axis.plot(
                    *zip(*points, strict=True) if points else ((), ()),
                    linestyle=style, marker=mark, ms=4,
                    color=f"C{number}", label=f"{system}, {telling}",
                )  # fmt: skip
        axis.set(xlabel="load, of what the fastest level carries", ylabel=label)
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize=7)
    figure.savefig(path, dpi=110)
    plt.close(figure)
