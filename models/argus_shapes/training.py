"""Trains a member of the family from nothing, on pictures painted as it goes.

Flow matching (arXiv 2210.02747) with logit-normal noise levels (arXiv 2403.03206), loss on the
velocity; matrices are moved by Muon (kellerjordan.github.io/posts/muon), the rest by AdamW.
What step n sees depends on n alone, so a run that was stopped goes on as if it had not been.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)
from torch import nn

from argus_shapes import evaluation, painter
from argus_shapes.captions import sample
from argus_shapes.pipeline import ShapesPipeline, build, encode, predict_velocity
from argus_shapes.recipe import Recipe

UNCONDITIONAL = 0.1
"""Share of captions blanked, so that guidance has something to be guided away from."""
MEAN_LOGIT = 1.0
"""Centre of the noise levels' logit: layout is settled while the picture is mostly noise."""
LEAST_WEIGHT_SIGMA = 0.3
"""Noise share below which the velocity's loss is damped: edges would drown the layout."""
CAPTION_TOKENS = 18
"""Tokens of a caption in training: the language needs 17, and padding costs time."""
LOG_EVERY = 100
"""Steps between lines of the log."""
SAVE_EVERY = 120.0
"""Seconds between checkpoints."""
CHECK_EVERY = 50_000
"""Images between looks at the pictures."""

Clock = Callable[[], float]


def train(
    recipe: Recipe,
    out: Path,
    scratch: Path,
    *,
    device: str,
    compiled: bool,
    clock: Clock = time.monotonic,
) -> ShapesPipeline:
    """Train until the recipe's images are seen; save the averaged weights under `out`.

    `scratch` keeps the checkpoint that a stopped run goes on from. `compiled` takes about a
    minute first and gains a third on a CPU; it needs a C++ compiler.
    """
    torch.manual_seed(0)
    run = _Run(recipe, device, compiled=compiled)
    checkpoint, log = scratch / "checkpoint.pt", scratch / "training.jsonl"
    scratch.mkdir(parents=True, exist_ok=True)
    seconds = run.resume(checkpoint) if checkpoint.exists() else 0.0
    started, saved = clock() - seconds, clock()
    with _progress() as bar, log.open("a") as lines:
        task = bar.add_task(recipe.name, total=recipe.images, completed=run.seen, loss="")
        while run.seen < recipe.images:
            loss = run.step()
            bar.update(task, completed=run.seen, loss=f"loss {loss:.4f}")
            record: dict[str, Any] = {}
            if run.steps % LOG_EVERY == 0:
                record |= {"loss": round(loss, 5), "rate": run.rate}
            if run.seen // CHECK_EVERY != (run.seen - recipe.batch) // CHECK_EVERY:
                record |= {"exact": evaluation.glance(run.averaged)}
            if record:
                elapsed = round(clock() - started, 1)
                lines.write(json.dumps({"images": run.seen, "seconds": elapsed} | record) + "\n")
                lines.flush()
            if clock() - saved > SAVE_EVERY:
                saved = clock()
                run.save(checkpoint, saved - started)
    run.save(checkpoint, clock() - started)
    run.averaged.to(device="cpu", dtype=torch.float16).save_pretrained(out)
    (out / "training.jsonl").write_bytes(log.read_bytes())
    return run.averaged


class _Run:
    """The state of one training run, and its step."""

    def __init__(self, recipe: Recipe, device: str, *, compiled: bool) -> None:
        self.recipe, self.device, self.steps, self.smooth = recipe, device, 0, 0.0
        self.pipeline = build(recipe).to(device)
        self.averaged = build(recipe).to(device)
        self.averaged.set_progress_bar_config(disable=True)
        _copy(self.pipeline, self.averaged)
        matrices, rest = _sort_parameters(self.pipeline)
        self.optimisers: list[torch.optim.Optimizer] = [
            torch.optim.Muon(matrices, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(rest, weight_decay=0.0, betas=(0.9, 0.99)),
        ]
        for module in _modules(self.pipeline):
            module.train()
        self.velocity = torch.compile(self._velocity, dynamic=False) if compiled else self._velocity

    @property
    def seen(self) -> int:
        return self.steps * self.recipe.batch

    @property
    def rate(self) -> float:
        left = 1 - self.seen / self.recipe.images
        rise = min(1.0, (self.steps + 1) / self.recipe.warm_up)
        return self.recipe.learning_rate * rise * min(1.0, max(0.02, left / self.recipe.fall))

    def step(self) -> float:
        """Take one step; returns the loss, smoothed over about 50 steps."""
        pictures, ids = self._batch()
        generator = torch.Generator().manual_seed(self.steps)
        logits = torch.randn(len(pictures), generator=generator) + MEAN_LOGIT
        noise = torch.randn(pictures.shape, generator=generator).to(self.device)
        sigma = torch.sigmoid(logits).to(self.device).view(-1, 1, 1, 1)
        noisy = (1 - sigma) * pictures + sigma * noise
        velocity = self.velocity(ids, noisy, sigma.flatten() * 1000)
        weight = (sigma / sigma.clamp_min(LEAST_WEIGHT_SIGMA)).square()
        loss = ((velocity - (noise - pictures)).square() * weight).mean()
        self._move(loss)
        self.steps += 1
        share = max(0.02, 1 / self.steps)
        self.smooth += share * (loss.item() - self.smooth)
        return self.smooth

    def save(self, path: Path, seconds: float) -> None:
        state = {
            "steps": self.steps,
            "seconds": seconds,
            "smooth": self.smooth,
            "modules": [module.state_dict() for module in _modules(self.pipeline)],
            "averaged": [module.state_dict() for module in _modules(self.averaged)],
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
        }
        torch.save(state, path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)

    def resume(self, path: Path) -> float:
        state = torch.load(path, map_location=self.device, weights_only=True)
        for pipeline, key in ((self.pipeline, "modules"), (self.averaged, "averaged")):
            for module, weights in zip(_modules(pipeline), state[key], strict=True):
                module.load_state_dict(weights)
        for optimiser, kept in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(kept)
        self.steps, self.smooth = state["steps"], state["smooth"]
        return float(state["seconds"])

    def _batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        rng = random.Random(f"train {self.steps}")
        scenes = [sample(rng) for _ in range(self.recipe.batch)]
        pictures = painter.paint([painter.arrange(rng, scene) for scene in scenes])
        captions = [s.caption if rng.random() >= UNCONDITIONAL else "" for s in scenes]
        ids = self.pipeline.tokenizer(
            captions, padding="max_length", max_length=CAPTION_TOKENS, return_tensors="pt"
        ).input_ids
        latents = torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous() * 2 - 1
        return latents.to(self.device), ids.to(self.device)

    def _velocity(
        self, ids: torch.Tensor, noisy: torch.Tensor, timesteps: torch.Tensor
    ) -> torch.Tensor:
        states = encode(self.pipeline.text_encoder, ids)
        mask = (ids != 0).long()
        return predict_velocity(self.pipeline.transformer, noisy, timesteps, states, mask)

    def _move(self, loss: torch.Tensor) -> None:
        for optimiser in self.optimisers:
            optimiser.zero_grad()
            for group in optimiser.param_groups:
                group["lr"] = self.rate
        loss.backward()  # type: ignore[no-untyped-call]
        parameters = list(_parameters(self.pipeline))
        nn.utils.clip_grad_norm_(parameters, 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
        decay = min(self.recipe.average, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            torch._foreach_lerp_(list(_parameters(self.averaged)), parameters, 1 - decay)


def _modules(pipeline: ShapesPipeline) -> tuple[nn.Module, nn.Module]:
    return pipeline.text_encoder, pipeline.transformer


def _parameters(pipeline: ShapesPipeline) -> Iterator[nn.Parameter]:
    for module in _modules(pipeline):
        yield from module.parameters()


def _copy(source: ShapesPipeline, target: ShapesPipeline) -> None:
    for ours, theirs in zip(_modules(target), _modules(source), strict=True):
        ours.load_state_dict(theirs.state_dict())
        ours.requires_grad_(False).eval()


def _sort_parameters(
    pipeline: ShapesPipeline,
) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Split into the blocks' matrices, which Muon moves, and all else."""
    outside = ("shared", "embed", "bias", "proj_out", "adaln", "caption")
    named = [item for module in _modules(pipeline) for item in module.named_parameters()]
    inside = [p.ndim == 2 and not any(word in name for word in outside) for name, p in named]
    matrices = [p for (_, p), muon in zip(named, inside, strict=True) if muon]
    return matrices, [p for (_, p), muon in zip(named, inside, strict=True) if not muon]


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("images  {task.fields[loss]}"),
        TimeRemainingColumn(),
    )
