"""Measures how often a model draws just what a caption asks, by difficulty.

Captions are drawn from a stream that training never reads.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch

from argus_shapes.captions import DIFFICULTIES, Scene, sample
from argus_shapes.detector import Verdict, detect, judge
from argus_shapes.pipeline import ShapesPipeline

GLANCE_CAPTIONS = 40
GLANCE_STEPS = 16


def unseen(difficulty: str, count: int) -> list[Scene]:
    """The first `count` evaluation scenes of a difficulty, always the same."""
    rng = random.Random(f"evaluate {difficulty}")
    return [sample(rng, difficulty) for _ in range(count)]


def draw_and_judge(
    pipeline: ShapesPipeline,
    scenes: Sequence[Scene],
    seeds: Sequence[int],
    *,
    steps: int,
    guidance: float = 2.0,
) -> list[Verdict]:
    """Draw each scene with its seed, as one batch, and hold the pictures against the scenes."""
    latents = pipeline(
        [scene.caption for scene in scenes],
        num_inference_steps=steps,
        guidance_scale=guidance,
        generator=[torch.Generator().manual_seed(seed) for seed in seeds],
        output_type="latent",
    ).images
    pictures = ((latents.float().clamp(-1, 1) + 1) / 2).permute(0, 2, 3, 1).cpu().numpy()
    return [judge(s, detect(picture)) for s, picture in zip(scenes, pictures, strict=True)]


def glance(pipeline: ShapesPipeline) -> dict[str, float]:
    """Share drawn exactly, by difficulty, over few captions: to watch a training run."""
    seeds = range(GLANCE_CAPTIONS)
    return {
        difficulty: sum(
            verdict.exact
            for verdict in draw_and_judge(
                pipeline, unseen(difficulty, GLANCE_CAPTIONS), seeds, steps=GLANCE_STEPS
            )
        )
        / GLANCE_CAPTIONS
        for difficulty in DIFFICULTIES
    }
