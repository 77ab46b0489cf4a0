"""What the engine asks of a model family; a new family is one file and one registration.

The engine knows latents, timesteps and conditions, never a family's name; what most families do
alike is in `base`. All tensors that a
family gives out have one sample a row, so that rows of several requests can stand together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import torch
from PIL.Image import Image

from argus_worker.families.facts import Facts
from argus_worker.loras import LoraFile
from argus_worker.step_caches import Lender

Rows = dict[str, torch.Tensor]
"""Conditioning of a forward: tensors by name, each with one sample a row."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a variant can draw; anything beyond is refused before work begins."""

    width: int
    """Native width in pixels, where a request names no size."""
    height: int
    """Native height in pixels."""
    min_side: int
    """Shortest side in pixels."""
    max_side: int
    """Longest side in pixels."""
    side_multiple: int
    """Sides must be a multiple of this many pixels."""
    max_pixels: int
    """Width times height; attention grows with its square."""
    max_steps: int
    """Steps of a schedule; more than the model was trained with mean nothing."""
    max_prompt_tokens: int
    """Tokens of a prompt, marks included; the encoder would cut off the rest."""
    max_prompt_bytes: int = 8192
    """UTF-8 bytes of a prompt, checked before it is split into tokens."""
    max_guidance: float = 50.0
    """Largest guidance scale."""
    resumable: bool = True
    """Whether a schedule can begin in its midst: false where the scheduler needs its history."""


@dataclass(frozen=True, kw_only=True)
class Conditioning:
    """What steers one sample: rows for its prompt, and for what it must not be."""

    positive: Rows
    """One row each."""
    negative: Rows | None
    """One row each; None where the sample is not guided."""


class Family(Protocol):
    """One loaded model.

    `tokens` is called by the event loop, all else by the engine's thread.
    """

    limits: Limits
    modules: Mapping[str, torch.nn.Module]
    """All weights, by component; what moves between host and device."""
    denoiser: torch.nn.Module
    """The module whose forward is a step; one of those."""
    scheduler: Any
    """A template that is only ever copied."""
    dtype: torch.dtype
    """Of the latents."""
    kernels: Callable[[], AbstractContextManager[Any]]
    """Entered around forwards: which kernels attention takes."""
    FACTS: ClassVar[Facts]
    """What holds of every model of the family; `argus ladder check` reads it."""

    @classmethod
    def load(cls, folder: Path, *, dtype: torch.dtype) -> Self:
        """Read a diffusers folder into host memory.

        Raises:
            BadModel: it holds no such model.
        """
        ...

    @classmethod
    def encoders(cls) -> frozenset[str]:
        """Components, each a folder of the model's, that `encode` goes through."""
        ...

    def with_loras(self, files: Sequence[LoraFile]) -> Self:
        """The same model with LoRAs added; this one stays as it is, and shares what it can.

        Raises:
            BadModel: one of them fits no weight, or the family takes none.
        """
        ...

    def quantized(self) -> Self:
        """The same model with its denoiser's blocks in eight bits; this one stays as it is."""
        ...

    def tokens(self, prompt: str) -> int:
        """Tokens of a prompt, marks included."""
        ...

    def encode(
        self, prompt: str, negative: str, *, scale: float, width: int, height: int
    ) -> Conditioning:
        """Turn one prompt into conditioning on the device; the scale says whether it is guided.

        Rows of several prompts may differ in length: the shorter are then filled up with zeros at
        the end of their second dimension, so such rows need a mask beside them.
        """
        ...

    def guide(
        self, unconditional: torch.Tensor, conditional: torch.Tensor, scale: float
    ) -> torch.Tensor:
        """One prediction of two, each `[1, ...]`."""
        ...

    def set_timesteps(self, scheduler: Any, steps: int, *, width: int, height: int) -> None:
        """Give a copy of the scheduler its full schedule for an image of so many pixels."""
        ...

    def noise_scale(self, scheduler: Any) -> float | torch.Tensor:
        """What unit noise is multiplied by; read after `set_timesteps`."""
        ...

    def latent_shape(self, width: int, height: int) -> tuple[int, ...]:
        """Shape `[1, ...]` of the latent of an image of so many pixels."""
        ...

    def predict(self, latents: torch.Tensor, timesteps: torch.Tensor, rows: Rows) -> torch.Tensor:
        """The forward: what the scheduler's `step` wants, one row a sample."""
        ...

    def lender(self) -> Lender | None:
        """Of denoisers that skip work within steps; None where the facts name no method."""
        ...

    def using(self, net: Any) -> AbstractContextManager[None]:
        """Around forwards with a denoiser that was lent."""
        ...

    def decode(self, latent: torch.Tensor) -> Image:
        """The picture of one latent `[1, ...]`."""
        ...

    def preview(self, latent: torch.Tensor) -> Image:
        """A cheap and perhaps smaller likeness of one latent `[1, ...]`."""
        ...
