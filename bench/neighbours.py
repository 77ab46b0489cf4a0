"""How fast, how well and in how much memory neighbours are found among a million entries.

    python -m support.embedded && python neighbours.py --entries 1000000      (in bench/)

Feeds the predictor's own catalogue, as the journal would. Entries are real prompts' embeddings,
then ones around them: a real one with up to a third of another mixed in, and a little noise, which
is what exchanging some style words does to an embedding. Half of the queries are real prompts that
are not entries, half are entries a little changed. Truth is a float32 search of everything; a find
is right where it is the very nearest. Prints a table and writes JSON.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from argus_core.keeping import Habits
from argus_core.spec import Level
from argus_latents.store import Added, Entry
from argus_predictor.neighbours import indexes
from argus_predictor.neighbours.catalogue import Bounds, Catalogue
from argus_predictor.neighbours.worth import Worth
from support import embedded
from support.embedded import WIDTH, Floats

RESULTS = Path(__file__).parent / "results" / "neighbours.json"
BLOCK = 4096
SIZES = (50_000, 100_000, 200_000, 400_000)
"""Of entries, on the way, at which all is measured."""
EFFORTS = (64, 96, 128, 192, 256)
"""Rows that the graph considers while finding; the predictor's is `indexes.EFFORT_FINDING`."""
LADDER = (
    Level(name="full", variant="v", steps=30, quality=1.0, seconds={"any": 6.0}),
    Level(name="skip", variant="v", steps=30, skipped_steps=10, quality=0.95, seconds={"any": 4.0}),
)
FITS, SCOPE, STEPS = "variant=v", "all", (10,)


def unit(rows: Floats) -> Floats:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def around(real: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Rows near to real ones; their cosine to the one they come from is 0.85 to 0.99."""
    own, other = (real[rng.integers(len(real), size=count)] for _ in range(2))
    share = rng.uniform(0, 0.35, (count, 1)).astype(np.float32)
    noise = rng.standard_normal((count, WIDTH), np.float32) * np.float32(0.2 / np.sqrt(WIDTH))
    return unit((1 - share) * own + share * other + noise)


class Material:
    """Entries and queries, the same for the same seed; entries are made anew whenever wanted."""

    def __init__(self, real: Floats, *, entries: int, queries: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(real))
        held, self._known = real[order[: queries // 2]], real[order[queries // 2 :]][:entries]
        self.entries, self._seed = entries, seed
        changed = self._known[rng.integers(len(self._known), size=queries - len(held))]
        noise = rng.standard_normal(changed.shape, np.float32) * np.float32(0.2 / np.sqrt(WIDTH))
        self.queries = np.concatenate([held, unit(changed + noise)])
        self.real = len(self._known)

    def blocks(self) -> Iterator[Floats]:
        """All entries' embeddings, as float16 holds them."""
        for at in range(0, self.real, BLOCK):
            yield self._known[at : at + BLOCK].astype(np.float16).astype(np.float32)
        for number, at in enumerate(range(self.real, self.entries, BLOCK)):
            rng = np.random.default_rng((self._seed, number))
            rows = around(self._known, min(BLOCK, self.entries - at), rng)
            yield rows.astype(np.float16).astype(np.float32)

    def truth(self, entries: int) -> tuple[np.ndarray[Any, np.dtype[np.int64]], Floats]:
        """Of each query: the number of the nearest of the first entries, and its cosine."""
        best = np.full(len(self.queries), -1, np.int64)
        near, first = np.full(len(self.queries), -2, np.float32), 0
        for block in self.blocks():
            rows = block[: entries - first]
            if not len(rows):
                break
            found = self.queries @ unit(rows).T
            at = found.argmax(axis=1)
            value = found[np.arange(len(at)), at]
            better = value > near
            best[better], near[better] = first + at[better], value[better]
            first += len(rows)
        return best, near


def key(number: int) -> str:
    return f"{number:032x}"


def entry(number: int, row: Floats) -> Entry:
    return Entry(
        key=key(number), scope=SCOPE, compatibility=FITS, steps=STEPS,
        embedding=row.astype("<f2").tobytes(), encoder="bench", bytes=2**17,
        seconds_per_step=0.2, created=0.0, expires=1e12,
    )  # fmt: skip


def growing(material: Material) -> Iterator[tuple[Catalogue, int, float]]:
    """A catalogue with ever more entries, how many, and the seconds of this thread it took."""
    catalogue = Catalogue(
        encoder="bench",
        dimensions=WIDTH,
        worth=Worth(LADDER),
        habits=Habits(),
        bounds=Bounds(entries=material.entries + 1),
    )
    number, spent = 0, 0.0
    for rows in material.blocks():
        batch = [Added(entry=entry(number + at, row)) for at, row in enumerate(rows)]
        began = time.thread_time()
        catalogue.hear(batch, 1.0)
        spent += time.thread_time() - began
        number += len(rows)
        yield catalogue, number, spent


def asked(catalogue: Catalogue, queries: Floats) -> tuple[list[tuple[str, float]], Floats]:
    """What was found, and in how many milliseconds: by the clock, and of this thread."""
    found, spent = [], []
    for query in queries:
        began = time.perf_counter(), time.thread_time()
        best = catalogue.near(query, SCOPE, FITS, 1.0)[0]
        spent.append((time.perf_counter() - began[0], time.thread_time() - began[1]))
        found.append((best.key, best.similarity))
    return found, 1e3 * np.asarray(spent, np.float32)


def figures(catalogue: Catalogue, material: Material, truth: Any) -> dict[str, float]:
    asked(catalogue, material.queries[:100])
    found, spent = asked(catalogue, material.queries)
    best, near = truth
    right = np.array(
        [key == f"{number:032x}" for (key, _), number in zip(found, best, strict=True)]
    )
    lost = near - np.array([similarity for _, similarity in found])
    half = len(right) // 2
    return {
        "recall_at_1": round(float(right.mean()), 4),
        "recall_at_1_unseen_prompts": round(float(right[:half].mean()), 4),
        "recall_at_1_changed_entries": round(float(right[half:].mean()), 4),
        "similarity_lost_mean": round(float(lost.mean()), 5),
        "similarity_lost_p99": round(float(np.quantile(lost, 0.99)), 5),
        "p50_ms": round(float(np.quantile(spent[:, 0], 0.5)), 3),
        "p99_ms": round(float(np.quantile(spent[:, 0], 0.99)), 3),
        "p50_ms_of_thread": round(float(np.quantile(spent[:, 1], 0.5)), 3),
        "p99_ms_of_thread": round(float(np.quantile(spent[:, 1], 0.99)), 3),
    }


def measured(
    catalogue: Catalogue, material: Material, *, entries: int, grown: int, spent: float
) -> dict[str, Any]:
    """All figures of so many entries."""
    truth = material.truth(entries)
    (group,) = catalogue._groups.values()  # noqa: SLF001
    by_effort = {}
    for effort in EFFORTS:
        index = group._ranked._index  # type: ignore[attr-defined]  # noqa: SLF001
        index.expansion_search = effort
        by_effort[str(effort)] = figures(catalogue, material, truth)
    return {
        "entries": entries,
        "rss_growth_mib": round(grown / 2**20),
        "bytes_per_entry": round(grown / entries),
        "build_seconds_of_thread": round(spent),
        "by_effort": by_effort,
    }


def shown(found: dict[str, Any], console: Console) -> None:
    names = list(next(iter(found["by_effort"].values())))
    told = {name: value for name, value in found.items() if name != "by_effort"}
    table = Table("", *found["by_effort"], title=str(told))
    for name in names:
        table.add_row(name, *(str(row[name]) for row in found["by_effort"].values()))
    console.print(table)


def main() -> None:
    """Fill, ask now and then, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options, console = parser.parse_args(), Console(width=110)
    real = np.concatenate([embedded.load(name) for name in embedded.NAMES])
    real = unit(np.unique(real, axis=0))
    material = Material(real, entries=options.entries, queries=options.queries, seed=0)
    list(growing(Material(real, entries=6000, queries=10, seed=1)))  # what is paid but once
    before = psutil.Process().memory_info().rss
    document: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cpu": platform.processor() or platform.machine(), "threads": 1},
        "real_embeddings": material.real,
        "queries": len(material.queries),
        "index": {"connectivity": indexes.CONNECTIVITY, "effort_adding": indexes.EFFORT_ADDING},
        "sizes": [],
    }
    wanted = [size for size in SIZES if size < options.entries] + [options.entries]
    for catalogue, entries, spent in growing(material):
        if entries < wanted[0]:
            continue
        wanted.pop(0)
        grown = psutil.Process().memory_info().rss - before
        found = measured(catalogue, material, entries=entries, grown=grown, spent=spent)
        document["sizes"].append(found)
        document["load"] = [round(load, 1) for load in psutil.getloadavg()]
        options.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        shown(found, console)


if __name__ == "__main__":
    main()
