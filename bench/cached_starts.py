"""What starts from cached latents are worth: real prompts' repeats, replayed in a local cluster.

    python bench/cached_starts.py --prompts 800 --rate 5

Replays captions that repeat as DiffusionDB's prompts do (`support.replay`) at a whole cluster of
real processes, with cached starts and without, at the same moments; but who changes or repeats a
prompt has seen the picture of it, and looked at it for a moment. Then every prompt that began
from a latent is drawn again in full, and both are judged by the detector. Prints who hit, what it
saved and what it cost by band of similarity, and writes it as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from argus_cli.document import load_document
from argus_cli.local.cluster import LocalCluster
from argus_client import AsyncClient, Order, Picture
from argus_client.retry import Retry
from argus_control.planning import Planning
from argus_core.errors import ArgusError
from argus_predictor.encoder import Encoder
from argus_shapes.captions import parse
from argus_shapes.detector import detect, judge
from support import data, replay, results, small

RESULTS = results.FOLDER / "cached_starts.json"
BANDS = (-1.0, 0.8, 0.9, 0.95, 0.98, 0.995, 1.01)
"""Edges of the bands of similarity."""
DEADLINE = 10.0
"""Seconds of a request."""
LOOK = 2.0
"""Seconds from when a picture was there until its prompt is said again, or changed."""
AT_ONCE = 4
"""Pictures drawn at once while prompts are drawn again in full."""

Tell = Callable[[], None]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request to be."""

    prompt: str
    at: float
    """Seconds; not before then."""
    after: int = -1
    """The request whose picture its writer has looked at before; below 0 for none."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What became of a request."""

    prompt: str
    drawn: Picture | None
    error: str = ""

    @property
    def exact(self) -> bool:
        """Whether the picture is just as asked; False where there is none."""
        return self.drawn is not None and is_exact(self.prompt, self.drawn)

    @property
    def similarity(self) -> float | None:
        """Of the prompt that its latent came from; None where it began from noise."""
        if self.drawn is None:
            return None
        return self.drawn.decision.start_similarity


def is_exact(prompt: str, drawn: Picture) -> bool:
    """Whether the detector finds all that the prompt asks for, and nothing else."""
    pixels = np.asarray(drawn.image(), np.float32) / np.float32(255)
    return judge(parse(prompt), detect(pixels)).exact


def requests(count: int, rate: float, seed: int) -> list[Asked]:
    """Captions that repeat as real prompts did, at random moments."""
    real = (data.folder() / "prompts" / "diffusiondb_4000.txt").read_text("utf-8").splitlines()
    family = replay.parents(Encoder.load().embed(real[:count]))
    captions = replay.captions(family, rng=random.Random(seed))
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.exponential(1 / rate, len(captions))).tolist()
    return [
        Asked(prompt=prompt, at=at, after=p.index if p.similarity >= replay.LESS_NEAR else -1)
        for prompt, at, p in zip(captions, times, family, strict=True)
    ]


def document(folder: Path, *, starts: bool) -> Path:
    """The sample, with a store of its own, or without any start."""
    if not starts:
        return small.written(small.without_starts(), folder)
    found = small.document()
    found["spec"]["latentStore"]["url"] = f"directory:{folder / 'latents'}"
    return small.written(found, folder)


async def send(client: AsyncClient, asked: Sequence[Asked], tell: Tell) -> list[Answer]:
    """Send each at its moment, whatever becomes of all but the one that it comes after."""
    began, seen = time.monotonic(), [asyncio.Event() for _ in asked]

    async def one(number: int, each: Asked) -> Answer:
        await asyncio.sleep(max(0.0, began + each.at - time.monotonic()))
        if each.after >= 0:
            await seen[each.after].wait()
            await asyncio.sleep(LOOK)
        try:
            (drawn,) = await client.draw(Order(prompt=each.prompt, deadline=DEADLINE))
        except ArgusError as error:
            return Answer(prompt=each.prompt, drawn=None, error=type(error).__name__)
        finally:
            seen[number].set()
            tell()
        return Answer(prompt=each.prompt, drawn=drawn)

    return await asyncio.gather(*(one(*each) for each in enumerate(asked)))


async def again(
    client: AsyncClient, answers: Sequence[Answer], level: str, tell: Tell
) -> list[Answer]:
    """The same prompts, drawn in full at a level."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, answer: Answer) -> Answer:
        async with places:
            order = Order(prompt=answer.prompt, level=level, deadline=60.0, seed=number)
            (drawn,) = await client.draw(order)
            tell()
        return Answer(prompt=answer.prompt, drawn=drawn)

    return await asyncio.gather(*(one(i, answer) for i, answer in enumerate(answers)))


async def run(asked: Sequence[Asked], folder: Path, *, starts: bool,
              bar: Progress) -> tuple[list[Answer], list[Answer]]:  # fmt: skip
    """Answers, and those that began from a latent drawn again in full."""
    name = "with starts" if starts else "without starts"
    loaded = load_document(document(folder, starts=starts))
    best = loaded[1].spec.ladder[0].name
    async with (
        LocalCluster(*loaded, planning=Planning()) as cluster,
        # A refusal is an answer here: who comes again would change the load.
        AsyncClient(cluster.router["grpc"], retry=Retry(attempts=1)) as client,
    ):
        task = bar.add_task(name, total=len(asked))
        answers = await send(client, asked, lambda: bar.advance(task))
        begun = [answer for answer in answers if answer.similarity is not None]
        task = bar.add_task("the same in full", total=len(begun))
        return answers, await again(client, begun, best, lambda: bar.advance(task))


def told(answers: Sequence[Answer]) -> dict[str, Any]:
    """Figures of a run."""
    served = [answer for answer in answers if answer.drawn is not None]
    drawn = [answer.drawn for answer in served if answer.drawn is not None]
    return {
        "asked": len(answers),
        "served": len(served),
        "errors": dict(Counter(answer.error for answer in answers if answer.error)),
        "exact": fmean(answer.exact for answer in served),
        "predicted": fmean(each.decision.predicted_quality for each in drawn),
        "drawing_seconds": sum(each.timing.drawing for each in drawn),
        "p50_seconds": float(np.quantile([each.timing.total for each in drawn], 0.5)),
        "p99_seconds": float(np.quantile([each.timing.total for each in drawn], 0.99)),
        "levels": dict(Counter(each.decision.level for each in drawn).most_common()),
    }


def bands(answers: Sequence[Answer], full: Sequence[Answer]) -> list[dict[str, Any]]:
    """What began from a latent, by similarity, against the same prompts in full."""
    begun = [answer for answer in answers if answer.similarity is not None]
    pairs = list(zip(begun, full, strict=True))
    found = []
    for low, high in itertools.pairwise(BANDS):
        inside = [
            (a, f) for a, f in pairs if a.similarity is not None and low <= a.similarity < high
        ]
        if inside:
            started = [a.drawn for a, _ in inside if a.drawn is not None]
            whole = [f.drawn for _, f in inside if f.drawn is not None]
            found.append({
                "from": low,
                "to": high,
                "images": len(inside),
                "share": len(inside) / len(answers),
                "exact": fmean(a.exact for a, _ in inside),
                "exact_in_full": fmean(f.exact for _, f in inside),
                "predicted": fmean(each.decision.predicted_quality for each in started),
                "seconds": fmean(each.timing.drawing for each in started),
                "seconds_in_full": fmean(each.timing.drawing for each in whole),
                "levels": dict(Counter(each.decision.level for each in started).most_common()),
            })  # fmt: skip
    return found


def show(console: Console, document: dict[str, Any]) -> None:
    """Both tables."""
    runs = Table("", "served", "exact", "predicted", "worker s", "p50 s", "p99 s", "levels")
    for name in ("with", "without"):
        row = document[name]
        levels = ", ".join(f"{level} {count}" for level, count in row["levels"].items())
        runs.add_row(f"{name} starts", f"{row['served']} of {row['asked']}", f"{row['exact']:.3f}",
                     f"{row['predicted']:.3f}", f"{row['drawing_seconds']:.1f}",
                     f"{row['p50_seconds']:.2f}", f"{row['p99_seconds']:.2f}", levels)  # fmt: skip
    console.print(runs)
    table = Table("similarity", "images", "exact", "in full", "predicted", "s", "s in full",
                  title="Begun from a latent, and the same prompts in full")  # fmt: skip
    for row in document["bands"]:
        table.add_row(f"{row['from']:.3g} to {row['to']:.3g}", str(row["images"]),
                      f"{row['exact']:.3f}", f"{row['exact_in_full']:.3f}",
                      f"{row['predicted']:.3f}", f"{row['seconds']:.3f}",
                      f"{row['seconds_in_full']:.3f}")  # fmt: skip
    console.print(table)
    console.print(f"Begun from a latent: {document['hit_rate']:.1%} of what was served; worker "
                  f"time saved on these: {document['saved_share']:.1%}")  # fmt: skip


async def measure(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Both runs, and what they say."""
    asked = requests(options.prompts, options.rate, options.seed)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with (
        tempfile.TemporaryDirectory() as folder,
        Progress(*columns, TimeRemainingColumn(), console=console) as bar,
    ):
        home = Path(folder)
        without, _ = await run(asked, home, starts=False, bar=bar)
        answers, full = await run(asked, home, starts=True, bar=bar)
    rows = bands(answers, full)
    whole = sum(row["images"] * row["seconds_in_full"] for row in rows)
    spent = sum(row["images"] * row["seconds"] for row in rows)
    served = sum(answer.drawn is not None for answer in answers)
    return {
        "question": "What are starts from cached latents worth when prompts repeat as real ones?",
        **results.origin(sys.argv),
        "rate": options.rate,
        "seed": options.seed,
        "distinct": len({each.prompt for each in asked}),
        "with": told(answers),
        "without": told(without),
        "bands": rows,
        "hit_rate": sum(row["images"] for row in rows) / served,
        "saved_share": 1 - spent / whole if whole else 0.0,
    }


def main() -> None:
    """Measure, show, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prompts", type=int, default=800, help="replayed, at most 4000")
    parser.add_argument("--rate", type=float, default=5.0, help="requests a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    console = Console()
    document = asyncio.run(measure(options, console))
    show(console, document)
    results.write(document, options.out)
    console.print(f"Figures in {options.out}")


if __name__ == "__main__":
    main()
