"""Latents outside the engine: as safetensors bytes, and what tells schedulers apart."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

TENSOR = "latent"
"""Name of the one tensor in the file."""


def scheduler_digest(scheduler: Any) -> str:
    """12 hex digits that differ between schedulers of another class or config."""
    config = {key: value for key, value in scheduler.config.items() if not key.startswith("_")}
    text = json.dumps([type(scheduler).__name__, config], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def pack(latent: torch.Tensor) -> bytes:
    """A safetensors file of one latent."""
    return save({TENSOR: latent.detach().cpu().contiguous()})


def unpack(data: bytes, *, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """The latent in a file, which must have this shape and dtype.

    Raises:
        ValueError: the file is corrupt, or holds something else; the message says what.
    """
    try:
        tensors = load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ValueError(f"is not a safetensors file: {error}") from error
    if tensors.keys() != {TENSOR}:
        raise ValueError(f"must hold one tensor {TENSOR!r}, holds {sorted(tensors)}")
    latent = tensors[TENSOR]
    if tuple(latent.shape) != shape or latent.dtype != dtype:
        raise ValueError(
            f"must be {list(shape)} of {dtype}, is {list(latent.shape)} of {latent.dtype}"
        )
    if not latent.isfinite().all():
        raise ValueError("holds values that are not finite")
    return latent
