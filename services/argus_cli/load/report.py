"""A load's figures as a table, as JSON, and as a picture."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from rich.table import Table

from argus_cli.load.figures import Figures
from argus_cli.load.record import OK, Record
from argus_cli.simulate import palette

VERSION = 1
"""Of the JSON document."""
_DOTS = 130


def document(
    asked: Mapping[str, Any], whole: Figures, tenants: Mapping[str, Figures]
) -> dict[str, Any]:
    """Everything, as plain data."""
    told = {name: asdict(found) for name, found in tenants.items()}
    return {"kind": "ArgusLoad", "version": VERSION, "asked": dict(asked), **asdict(whole),
            "tenants": told}  # fmt: skip


def write(path: Path, found: Mapping[str, Any]) -> None:
    """Write a document."""
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def table(whole: Figures, tenants: Mapping[str, Figures]) -> Table:
    """A row for all, and one for each tenant where there are several."""
    shown = Table(
        "", "requests", "in time", "late", "refused", "failed", "goodput/s", "p50 s", "p99 s",
        "quality",
    )  # fmt: skip
    rows = {"all": whole} | ({name or "none": f for name, f in tenants.items()}
                             if len(tenants) > 1 else {})  # fmt: skip
    for name, found in rows.items():
        shown.add_row(
            name, str(found.requests), f"{1 - found.violations:.1%}",
            str(found.delivered - found.in_time), str(found.refused),
            str(found.failed + found.dropped), f"{found.goodput:.2f}", _seconds(found, "p50"),
            _seconds(found, "p99"), "-" if found.quality is None else f"{found.quality:.3f}",
        )  # fmt: skip
    return shown


def levels(whole: Figures) -> Table:
    """What was delivered, by level."""
    shown = Table("level", "delivered", "share", "predicted quality")
    for level, count in whole.levels.items():
        shown.add_row(level, str(count), f"{count / whole.delivered:.1%}",
                      f"{whole.level_quality[level]:.3f}")  # fmt: skip
    return shown


def sentences(whole: Figures) -> list[str]:
    """What the tables do not say."""
    said = []
    failures = {code: n for code, n in whole.codes.items() if code != OK}
    if failures:
        told = ", ".join(f"{code} {count}" for code, count in failures.items())
        said.append(f"Not delivered: {told}.")
    if whole.refusal_seconds:
        said.append(f"Refusals took {1000 * whole.refusal_seconds['p99']:.1f} ms (p99).")
    if whole.lag:
        said.append(f"The generator was {1000 * whole.lag['p99']:.1f} ms late (p99).")
    if whole.dropped:
        said.append(f"{whole.dropped} requests were never sent: --most were under way.")
    return said


def draw(records: Sequence[Record], path: Path) -> None:
    """Latency of every request over time, by level; what was not delivered as crosses below."""
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axis = figure.add_subplot()
    names = sorted({r.level for r in records if r.code == OK})
    colours = palette.variant_colours(names)
    for name in names:
        theirs = [r for r in records if r.code == OK and r.level == name]
        axis.scatter([r.intended for r in theirs], [r.latency or 0.0 for r in theirs],
                     s=9, color=colours[name], label=name)  # fmt: skip
    lost = [r.intended for r in records if r.code != OK]
    if lost:
        axis.scatter(lost, np.zeros(len(lost)), s=14, marker="x", color="black",
                     label="not delivered")  # fmt: skip
    axis.set_xlabel("seconds since the load began")
    axis.set_ylabel("seconds until the picture was there")
    axis.set_title("Every request, by when it should have been sent")
    axis.grid(visible=True, color=palette.GRID)
    axis.set_axisbelow(True)
    if names or lost:
        axis.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    figure.savefig(path, dpi=_DOTS)


def _seconds(found: Figures, quantile: str) -> str:
    return f"{found.seconds[quantile]:.2f}" if quantile in found.seconds else "-"
