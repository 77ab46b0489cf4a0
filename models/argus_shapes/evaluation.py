"""Measures how often a model draws just what a caption asks, by difficulty and step count.

Captions come from a stream of their own, and none that training is likely to have met is
treated apart: the language has some millions of captions, training sees a share of them.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from argus_shapes.captions import DIFFICULTIES, Scene, parse, sample
from argus_shapes.detector import Verdict, detect, judge
from argus_shapes.pipeline import ShapesPipeline

GUIDANCE = 2.0
"""Guidance scale of every measurement and of the default ladder."""
BATCH = 50
"""Captions drawn at once while measuring quality."""
GLANCE_CAPTIONS = 40
GLANCE_STEPS = 16
DRAWS_PER_CAPTION = 20
"""Scenes drawn for each caption wanted, so that few enough repeat."""
RESAMPLES = 1000
"""Bootstrap resamples behind a confidence interval."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """How one variant did on one difficulty at one step count."""

    variant: str
    steps: int
    difficulty: str
    captions: int
    seeds: int
    exact: float
    """Share of pictures that are just as asked, 0 to 1."""
    low: float
    """Lower end of the 95 % interval of `exact`, over captions."""
    high: float
    """Upper end of it."""
    share: float
    """Mean share of the shapes that are right, 0 to 1."""


def load(path: Path, *, device: str = "cpu") -> ShapesPipeline:
    """The pipeline saved under `path`, in float32, silent."""
    pipeline = ShapesPipeline.from_pretrained(path, dtype=torch.float32).to(device)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def unseen(difficulty: str, count: int) -> list[Scene]:
    """The first `count` evaluation scenes of a difficulty, always the same.

    No two are alike while the language has others: of single shapes there are 54 captions, and
    then they come again, to be drawn with other seeds.
    """
    rng = random.Random(f"evaluate {difficulty}")
    distinct = {sample(rng, difficulty).caption: None for _ in range(DRAWS_PER_CAPTION * count)}
    return [parse(caption) for caption in islice(cycle(distinct), count)]


def measure(
    pipeline: ShapesPipeline,
    variant: str,
    *,
    steps: int,
    captions: int,
    seeds: int,
    on_drawn: Callable[[int], None],
) -> Iterator[Measure]:
    """Draw `captions` scenes of every difficulty with `seeds` seeds each.

    `on_drawn` is told how many pictures each batch drew.
    """
    for difficulty in DIFFICULTIES:
        scenes = unseen(difficulty, captions)
        verdicts = judged(pipeline, scenes, steps=steps, seeds=seeds, on_drawn=on_drawn)
        exact = np.array([[v.exact for v in row] for row in verdicts], float)
        low, high = interval(exact.mean(axis=0))
        yield Measure(
            variant=variant,
            steps=steps,
            difficulty=difficulty,
            captions=captions,
            seeds=seeds,
            exact=round(float(exact.mean()), 4),
            low=round(low, 4),
            high=round(high, 4),
            share=round(float(np.mean([[v.share for v in row] for row in verdicts])), 4),
        )


def judged(
    pipeline: ShapesPipeline,
    scenes: Sequence[Scene],
    *,
    steps: int,
    seeds: int,
    on_drawn: Callable[[int], None],
) -> list[list[Verdict]]:
    """By seed, by scene: what a picture of it is worth; `on_drawn` as for `measure`."""
    verdicts: list[list[Verdict]] = []
    for seed in range(seeds):
        row: list[Verdict] = []
        for start in range(0, len(scenes), BATCH):
            batch = scenes[start : start + BATCH]
            numbers = [1000 * seed + start + i for i in range(len(batch))]
            row += draw_and_judge(pipeline, batch, numbers, steps=steps)
            on_drawn(len(batch))
        verdicts.append(row)
    return verdicts


def interval(per_caption: NDArray[np.float64]) -> tuple[float, float]:
    """95 % bootstrap interval of the mean, resampling captions: seeds of one go together."""
    rng = np.random.default_rng(0)
    picks = rng.integers(0, len(per_caption), (RESAMPLES, len(per_caption)))
    low, high = np.quantile(per_caption[picks].mean(axis=1), (0.025, 0.975))
    return float(low), float(high)


def seconds_per_image(
    pipeline: ShapesPipeline,
    *,
    steps: int,
    repeats: int,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Median seconds of one picture drawn alone, after a warm-up, with the threads as set."""
    caption = unseen("two groups", 1)[0].caption
    times = []
    for _ in range(repeats + 1):
        started = clock()
        pipeline(caption, num_inference_steps=steps, guidance_scale=GUIDANCE)
        times.append(clock() - started)
    return float(np.median(times[1:]))


def draw_and_judge(
    pipeline: ShapesPipeline, scenes: Sequence[Scene], seeds: Sequence[int], *, steps: int
) -> list[Verdict]:
    """Draw each scene with its seed, as one batch, and hold the pictures against the scenes."""
    latents = pipeline(
        [scene.caption for scene in scenes],
        num_inference_steps=steps,
        guidance_scale=GUIDANCE,
        generator=[torch.Generator().manual_seed(seed) for seed in seeds],
        output_type="latent",
    ).images
    pictures = ((latents.float().clamp(-1, 1) + 1) / 2).permute(0, 2, 3, 1).cpu().numpy()
    return [judge(s, detect(picture)) for s, picture in zip(scenes, pictures, strict=True)]


def glance(pipeline: ShapesPipeline) -> dict[str, float]:
    """Share drawn exactly, by difficulty, over few captions: to watch a training run."""
    seeds = range(GLANCE_CAPTIONS)
    verdicts = {
        difficulty: draw_and_judge(
            pipeline, unseen(difficulty, GLANCE_CAPTIONS), seeds, steps=GLANCE_STEPS
        )
        for difficulty in DIFFICULTIES
    }
    return {key: sum(v.exact for v in row) / GLANCE_CAPTIONS for key, row in verdicts.items()}


def as_document(
    measures: Sequence[Measure], seconds: dict[str, dict[int, float]]
) -> dict[str, Any]:
    """What `argus evaluate` writes: measures, and seconds per image by variant and steps."""
    return {
        "guidance": GUIDANCE,
        "seconds": {
            variant: {str(n): s for n, s in row.items()} for variant, row in seconds.items()
        },
        "measures": [asdict(measure) for measure in measures],
    }
