"""What crosses between the event loop and the engine: an order in, events out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from PIL.Image import Image

from argus_core.step_cache import StepCache
from argus_worker.masters import Held


@dataclass(frozen=True, kw_only=True)
class Keep:
    """How captures are to be found again in the latent store."""

    embedding: bytes
    """Of the prompt: unit length, float16, little-endian."""
    encoder: str
    """That made the embedding."""
    time_to_live: float | None
    """Seconds; None for the cluster's setting."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """One image to draw; checked already."""

    request_id: str
    """For logs."""
    held: Held
    """The variant to draw with."""
    prompt: str
    negative_prompt: str
    """Empty for none."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    steps: int
    """Of the whole schedule."""
    skipped_steps: int
    """That `start` stands in for."""
    guidance_scale: float
    seed: int
    start: torch.Tensor | None
    """Latent after `skipped_steps` steps; None where none are skipped."""
    capture_steps: frozenset[int]
    """Steps after which the latent is kept."""
    preview_every_steps: int
    """0 for no previews."""
    compatibility: str
    """Of the latents that this order captures."""
    step_cache: StepCache | None = None
    """How work is skipped within steps."""
    scope: str = ""
    """Whose latents are read and kept."""
    start_key: str = ""
    """Of a start that is yet to be fetched from the latent store; empty for none."""
    keep: Keep | None = None
    """None sends captures back instead."""


@dataclass(frozen=True)
class Started:
    """The first step begins."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """A step is done."""

    step: int
    steps: int
    preview: Image | None


@dataclass(frozen=True, kw_only=True)
class Captured:
    """A latent that was kept."""

    step: int
    data: bytes
    """A safetensors file."""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """The image is done; times in seconds."""

    image: Image
    captured: tuple[Captured, ...]
    queue: float
    encode: float
    denoise: float
    decode: float


@dataclass(frozen=True)
class Failed:
    """The image will not be done."""

    error: Exception


Event = Started | Progress | Drawn | Failed
