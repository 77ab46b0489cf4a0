"""What a family can do whatever its weights: data, so that a ladder can be checked without any."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Bounds of a family; the model at hand may narrow them, never widen them."""

    side_multiple: int
    """Sides are a multiple of this many pixels."""
    min_side: int
    """Shortest side in pixels that the models were trained for."""
    max_side: int
    """Longest side in pixels."""
    max_pixels: int
    """Width times height."""
    latent_space: str
    """Of the VAE: cached latents never cross from one to another."""
    max_steps: int = 500
    """Steps of a schedule; few where the model was distilled to few."""
    guided: bool = True
    """Whether a guidance scale above 1 means anything."""
    max_guidance: float = 50.0
    """Largest guidance scale."""
    resumable: bool = True
    """Whether cached starts make sense: not where few steps draw fresh noise or leave none to skip.
    The scheduler must allow it besides."""
    ships: str = ""
    """Scheduler class that the public models come with; empty where it keeps no history."""
    dtypes: tuple[str, ...] = ("float32", "float16", "bfloat16")
    """That the weights may take; float16 is left out where activations overflow in it."""
    step_caches: tuple[str, ...] = ()
    """Methods by which the denoiser can skip work within steps; see `argus_core.step_cache`."""
    loras: bool = True
    """Whether LoRAs can be added to the weights."""
