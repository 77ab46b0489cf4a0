"""Which latents to let go: Argus's benefit against LRU, FIFO and NIRVANA's LCBFU.

    python -m support.embedded && python eviction.py      (in bench/)

Replays DiffusionDB's prompts in the order in which they were written: each begins from the nearest
kept one, as many of 50 steps in as NIRVANA's thresholds allow, and is then kept itself. All rules
see the same, whole entries (a latent at each of five steps). The paper's log tells how near each
query came to a cached one, but not to which: only a query that came again word for word, under the
number of its prompt, can be replayed from it. Prints tables, writes JSON and a plot.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from argus_core import keeping
from argus_core.keeping import Habits
from support import data, embedded

RESULTS = Path(__file__).parent / "results" / "eviction.json"
PLOT = Path(__file__).parents[1] / "docs" / "eviction.png"
THRESHOLDS, SKIPPED = np.array([0.65, 0.75, 0.85, 0.9, 0.95]), np.array([0, 5, 10, 15, 20, 25])
"""Cosines above which NIRVANA skips more, and steps skipped, of 50."""
SECONDS_PER_STEP = 0.3
"""SDXL on an A10G: 15 s for 50 steps."""
BETWEEN = 10.0
"""Seconds between two prompts; the data have no times."""
LIFE = 86_400.0
SIZES, PAPER_SIZES = (50, 100, 200, 400, 800, 1600), (400, 1600)
"""Entries kept."""

Floats = NDArray[np.float64]
Scores = Callable[["Kept", float], Floats]


@dataclass
class Kept:
    """What a rule may know of the entries that are kept, in columns."""

    size: int
    count: int = 0
    who: NDArray[np.int64] = field(init=False)
    born: Floats = field(init=False)
    last: Floats = field(init=False)
    steps: Floats = field(init=False)
    faded: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.who = np.zeros(self.size, np.int64)
        for name in ("born", "last", "steps", "faded"):
            setattr(self, name, np.zeros(self.size))


def benefit(habits: Habits) -> Scores:
    """As the keeper counts it; all entries take as much, and a use of any saves as much."""

    def scores(kept: Kept, now: float) -> Floats:
        return keeping.benefit(
            uses=keeping.faded(kept.faded, now - kept.last, habits),
            idle=now - kept.last,
            left=kept.born + LIFE - now,
            seconds=1.0,
            taken=1.0,
            habits=habits,
        )

    return scores


RULES: Mapping[str, Scores] = {
    "benefit": benefit(Habits()),
    "LRU": lambda kept, _: kept.last,
    "FIFO": lambda kept, _: kept.born,
    "LCBFU": lambda kept, _: kept.steps,
}


@dataclass(frozen=True, kw_only=True)
class Log:
    """Prompts in their order."""

    prompts: int
    near: Callable[[int, NDArray[np.int64]], Floats]
    """Cosines of a prompt with earlier ones, all by their number."""
    between: float = BETWEEN
    """Seconds between two."""


def replay(log: Log, *, size: int, scores: Scores, repeats: bool) -> Floats:
    """The similarity that each prompt found; 0 for none. `repeats`: whether those are kept too."""
    kept, found, habits = Kept(size), np.zeros(log.prompts), Habits()
    for prompt in range(log.prompts):
        now = prompt * log.between
        if kept.count:
            close = log.near(prompt, kept.who[: kept.count])
            best = int(close.argmax())
            found[prompt] = close[best]
            _use(kept, best, float(close[best]), now, habits)
            if not repeats and close[best] >= habits.repeated:
                continue
        if kept.count < size:
            slot, kept.count = kept.count, kept.count + 1
        else:
            worth = scores(kept, now)
            least = np.flatnonzero(worth == worth.min())
            slot = int(least[kept.born[least].argmin()])
        kept.who[slot] = prompt
        kept.born[slot] = kept.last[slot] = now
        kept.steps[slot] = kept.faded[slot] = 0
    return found


def _use(kept: Kept, slot: int, similarity: float, now: float, habits: Habits) -> None:
    if skipped := SKIPPED[np.searchsorted(THRESHOLDS, similarity)]:
        kept.faded[slot] = 1 + keeping.faded(kept.faded[slot], now - kept.last[slot], habits)
        kept.steps[slot] += skipped
        kept.last[slot] = now


def told(found: Floats) -> dict[str, float]:
    """Of what was found: hit rates, and what was saved."""
    rates = {f"hits_{edge:g}": round(float((found > edge).mean()), 4) for edge in THRESHOLDS}
    steps = SKIPPED[np.searchsorted(THRESHOLDS, found)]
    return {**rates, "seconds_saved_per_prompt": round(float(steps.mean()) * SECONDS_PER_STEP, 4)}


def compared(log: Log, sizes: Sequence[int], *, repeats: bool) -> dict[str, Any]:
    """By rule and size."""
    return {
        name: {
            str(size): told(replay(log, size=size, scores=scores, repeats=repeats))
            for size in sizes
        }
        for name, scores in RULES.items()
    }


def diffusiondb(between: float = BETWEEN) -> Log:
    rows = embedded.load("diffusiondb")
    cosines = (rows @ rows.T).astype(np.float64)
    return Log(prompts=len(rows), near=lambda one, others: cosines[one, others], between=between)


def paper() -> Log:
    """The paper's log: near is only what is the same prompt."""
    names = data.column(data.folder() / "paper" / "similarity.csv", "prompt_id")
    assert names is not None, "the paper's log is not there; see support.data"
    return Log(
        prompts=len(names), near=lambda one, others: (names[others] == names[one]).astype(float)
    )


def sheet(title: str, found: Mapping[str, Any], figure: str) -> Table:
    """Rules down, sizes across."""
    table = Table("rule", *next(iter(found.values())), title=title)
    for name, by_size in found.items():
        table.add_row(name, *(f"{row[figure]:.3f}" for row in by_size.values()))
    return table


def plotted(found: Mapping[str, Any], path: Path) -> None:
    """Seconds saved by size."""
    figure, axes = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    for name, by_size in found.items():
        saved = [row["seconds_saved_per_prompt"] for row in by_size.values()]
        axes.plot([int(size) for size in by_size], saved, marker="o", ms=4, label=name)
    axes.set(xscale="log", xlabel="entries kept", ylabel="seconds saved a prompt, of 15")
    axes.set_title("What is saved by what is let go first (DiffusionDB, in its order)", fontsize=10)
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Replay, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--plot", type=Path, default=PLOT)
    options, console = parser.parse_args(), Console(width=110)
    log = diffusiondb()
    document: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds_between_prompts": BETWEEN,
        "all_kept": told(replay(log, size=log.prompts, scores=RULES["FIFO"], repeats=True)),
        "diffusiondb": compared(log, SIZES, repeats=True),
        "diffusiondb_repeats_not_kept": compared(log, SIZES, repeats=False),
        "paper_same_prompt_only": compared(paper(), PAPER_SIZES, repeats=False),
        "benefit_by_seconds_between": {
            str(between): {
                str(size): told(
                    replay(diffusiondb(between), size=size, scores=RULES["benefit"], repeats=False)
                )
                for size in SIZES
            }
            for between in (0.1, 1.0, 60.0)
        },
    }
    options.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    for name in ("diffusiondb", "diffusiondb_repeats_not_kept", "benefit_by_seconds_between"):
        console.print(sheet(f"{name}: seconds saved", document[name], "seconds_saved_per_prompt"))
    for edge in THRESHOLDS:
        found = document["diffusiondb_repeats_not_kept"]
        console.print(sheet(f"Share above {edge:g}", found, f"hits_{edge:g}"))
    console.print(sheet("paper: came again", document["paper_same_prompt_only"], "hits_0.95"))
    console.print(f"All kept: {document['all_kept']}")
    plotted(document["diffusiondb_repeats_not_kept"], options.plot)


if __name__ == "__main__":
    main()
