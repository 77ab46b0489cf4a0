"""What makes a latent reusable: the text that two latents share if one can stand for the other."""

from __future__ import annotations


def latent_space(*, variant: str, model: str, scheduler: str, dtype: str) -> str:
    """Names the space that a variant's latents live in.

    Args:
        variant: its name.
        model: tells its weights, LoRAs included, from any others.
        scheduler: tells its scheduler's config from any other.
        dtype: of its latents, such as `float16`.
    """
    return f"variant={variant};model={model};scheduler={scheduler};dtype={dtype}"


def compatibility(space: str, *, steps: int, guidance: float, width: int, height: int) -> str:
    """The canonical text of a space, a schedule, a guidance scale and a size in pixels."""
    return f"{space};steps={steps};guidance={guidance!r};size={width}x{height}"
