"""Tables of results, for the terminal and for docs; made of what results files say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from argus_cli.simulate.figures import FIGURES, NONE, Figure
from argus_cli.simulate.page import Sheet
from support.parts import REGRET
from support.results import Document, interval_of
from support.runs import BEST
from support.standing import GOODPUT, OURS, QUALITY, VALUE, VIOLATIONS, standing_of

_BY_FIELD: Mapping[str, Figure] = {figure.field: figure for figure in FIGURES}


def _like(field: str, short: str, digits: int) -> Figure:
    return replace(_BY_FIELD[field], short=short, digits=digits)


MAIN: Sequence[Figure] = (
    _like(VIOLATIONS, "violated %", 3),
    _like(GOODPUT, "in time/min", 1),
    _like(QUALITY, "quality", 4),
    _like(VALUE, "value", 4),
)
"""Shown with their intervals."""
COLUMNS: Sequence[Figure] = (
    MAIN[0],
    _like("violations_per_minute", "violated/min", 2),
    *MAIN[1:3],
    _like("quality_worst_decile", "worst tenth", 3),
    MAIN[3],
    _like("refused", "refused %", 2),
    Figure(field=BEST, title="at the best level", scale=100, digits=1, short="best level %"),
    _like("switching_seconds", "loading s", 0),
    _like("utilisation", "GPUs busy %", 1),
    Figure(field=REGRET, title="regret", digits=4, short="regret"),
)
"""Of a table of one view of a part."""
BOUND = "bound"
_WIDE = 190
"""Columns of text, where nobody looks."""
_MET = {True: "met", False: "NOT MET", None: "not told"}


def view_sheet(part: Document, view: str) -> Sheet:
    """A row a policy, ours first, then what was published of it."""
    columns = [c for c in COLUMNS if c.field != REGRET or _has_regret(part, view)]
    seeds = len(part["parameters"]["seeds"])
    rows = [[name, *_cells(part, name, view, columns)] for name in part["policies"]]
    if REGRET in {column.field for column in columns}:
        bound = MAIN[3].write_interval(interval_of(part["bound"], seeds))
        rows.append([BOUND, *(bound if column is MAIN[3] else "" for column in columns)])
    for name, known in part["published"].get(view, {}).items():
        rows.append([name, *(_known(known, column) for column in columns)])
    return Sheet(head=["policy", *(c.short for c in columns)], rows=rows, notes=_notes(part))


def _has_regret(part: Document, view: str) -> bool:
    return any(REGRET in found["views"][view]["figures"] for found in part["policies"].values())


def _cells(part: Document, policy: str, view: str, columns: Sequence[Figure]) -> Iterable[str]:
    figures = part["policies"][policy]["views"][view]["figures"]
    seeds = len(part["parameters"]["seeds"])
    for column in columns:
        found = interval_of(figures.get(column.field), seeds)
        if found is not None and column not in MAIN:
            found = replace(found, low=None, high=None)
        yield column.write_interval(found)


def _known(published: Mapping[str, float], column: Figure) -> str:
    value = published.get(column.field)
    return "" if value is None else f"{value * column.scale:,.{_short(column)}f}"


def _short(column: Figure) -> int:
    """Digits of what was read off a plot."""
    return min(column.digits, 3 if column.scale == 1 else 2)


def _notes(part: Document) -> list[str]:
    seeds = len(part["parameters"]["seeds"])
    notes = [f"± is the 95% interval of the mean over {seeds} seeds."] if seeds > 1 else []
    notes += [f"Left out: {name} ({why})." for name, why in part["unable"].items()]
    codes = {found["code"] for found in part["policies"].values()}
    if len(codes) > 1:
        notes.append("Not all policies ran with the same code; --again runs them anew.")
    return notes


def parts_sheet(parts: Mapping[str, Document], view: str) -> Sheet:
    """The main figures of several parts under each other."""
    rows = [
        [name if not i else "", policy, *_cells(part, policy, view, MAIN)]
        for name, part in parts.items()
        for i, policy in enumerate(part["policies"])
    ]
    return Sheet(head=["part", "policy", *(figure.short for figure in MAIN)], rows=rows)


def loads_sheet(parts: Mapping[str, Document], view: str) -> Sheet:
    """A row a policy, a column a part: violations in percent, and quality of what was in time."""
    policies = list(dict.fromkeys(name for part in parts.values() for name in part["policies"]))
    rows = [[name, *(_at_load(part, name, view) for part in parts.values())] for name in policies]
    notes = ["Violations in % of requests, and mean quality of what was in time."]
    return Sheet(head=["policy", *parts], rows=rows, notes=notes)


def _at_load(part: Document, policy: str, view: str) -> str:
    if policy not in part["policies"]:
        return ""
    figures = part["policies"][policy]["views"][view]["figures"]
    violated, quality = (figures[f.field] and figures[f.field]["mean"] for f in (MAIN[0], MAIN[2]))
    return f"{100 * violated:.2f} {NONE if quality is None else f'{quality:.3f}'}"


def worth_sheet(part: Document, name: str, view: str) -> Sheet:
    """What each other policy would gain by being ours: ours less it, seed by seed."""
    standing = standing_of(part, name, view)
    rows = [
        [
            other,
            *(f.write_interval(standing.less(OURS, other, f.field), signed=True) for f in MAIN),
        ]
        for other in standing.baselines
    ]
    notes = [f"What {OURS} has more or less, seed by seed."]
    return Sheet(head=["against", *(figure.short for figure in MAIN)], rows=rows, notes=notes)


def seconds_sheet(part: Document) -> Sheet:
    """What a run took, by policy, on one core."""
    requests, hours = part["scenario"]["requests"], part["scenario"]["seconds"] / 3600
    rows = [
        [name, f"{found['seconds']:.1f}", f"{1e6 * found['seconds'] / requests:.1f}"]
        for name, found in part["policies"].items()
    ]
    notes = [f"{requests:,} requests in {hours:.1f} h of virtual time."]
    return Sheet(head=["policy", "seconds", "µs a request"], rows=rows, notes=notes)


def goals_sheet(goals: Sequence[Mapping[str, Any]]) -> Sheet:
    """A row a goal."""
    rows = [[g["part"], g["view"], g["goal"], _MET[g["met"]], g["told"]] for g in goals]
    return Sheet(head=["part", "of", "goal", "", "figures"], rows=rows)


def against_sheet(found: Sequence[Mapping[str, Any]]) -> Sheet:
    """A row a baseline, beside the abstract's claims; what reaches them is marked."""
    head = ["part", "baseline", "violations (10x)", "quality (1.10)", "throughput (1.40)"]
    head += [f"less: {figure.short}" for figure in MAIN[:3]]
    rows = [
        [
            one["part"],
            one["baseline"],
            _marked(one["ratio"], "{:.3g}x", one["reached"][VIOLATIONS]),
            _marked(one["quality"], "{:.3f}", one["reached"][QUALITY]),
            _marked(one["throughput"], "{:.2f}", one["reached"][GOODPUT]),
            *(
                f.write_interval(
                    interval_of(one["differences"][f.field], one["seeds"]), signed=True
                )
                for f in MAIN[:3]
            ),
        ]
        for one in found
    ]
    return Sheet(head=head, rows=rows, notes=["* reaches what the paper's abstract claims."])


def _marked(value: float | None, form: str, reached: bool | None) -> str:  # noqa: FBT001
    if reached is None and value is None:
        return NONE
    return ("none of ours" if value is None else form.format(value)) + (" *" if reached else "")


def show(sheet: Sheet, *, title: str) -> None:
    """Print a table, and its notes."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDE)
    console.print(title, style="bold", highlight=False, markup=False)
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    for name in sheet.head:
        words = name in {"goal", "figures", "part", "of", "", "policy", "against", "baseline"}
        table.add_column(name, justify="left" if words else "right")
    for row in sheet.rows:
        table.add_row(*row)
    console.print(table)
    for note in sheet.notes:
        console.print(note, highlight=False, markup=False)


def markdown(sheet: Sheet) -> str:
    """A table and its notes, for a page."""
    lines = [sheet.head, ["---"] * len(sheet.head), *sheet.rows]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return "\n\n".join([table, *sheet.notes])
