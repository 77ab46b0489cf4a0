"""What a variant or a level tells the engine beyond model and steps."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from argus_core import step_cache
from argus_core.spec_model import Model

LoraFile = Annotated[
    str,
    Field(
        max_length=500,
        pattern=r"^([A-Za-z0-9_][A-Za-z0-9._-]*/)*[A-Za-z0-9_][A-Za-z0-9._-]*\.safetensors$",
    ),
]
Compile = Literal["auto", "always", "never"]
"""Whether the blocks of a denoiser are compiled: on a GPU, on a CPU too, or not at all."""
Attention = Literal["auto", "torch", "flash", "cudnn", "efficient", "math"]
"""Torch's kernels of attention; `auto` measures on a GPU, and lets torch choose on a CPU."""
Quantization = Literal["int8"]
StepCacheText = Annotated[str, Field(max_length=200, pattern=step_cache.PATTERN)]


class Lora(Model):
    """Weights that are added to a model's; read from safetensors alone."""

    model: Annotated[str, Field(min_length=1, max_length=4096)]
    """A `.safetensors` file, a directory, or a hub id."""
    revision: str | None = None
    """Hub revision; None for the newest."""
    file: LoraFile | None = None
    """Of the directory or the hub's repository; None where it has only one."""
    scale: Annotated[float, Field(ge=-10, le=10)] = 1.0
    """What it is multiplied by."""
