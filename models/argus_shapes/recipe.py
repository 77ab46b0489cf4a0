"""How each small model is built and trained: sizes, images seen, learning rate.

A recipe is frozen with its weights: change one and the weights must be trained again.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One member of the family."""

    name: str
    """Variant name, and folder of the weights."""
    width: int
    """Channels of the transformer and of the text encoder; 32 a head."""
    layers: int
    """Transformer blocks."""
    text_layers: int
    """Text encoder blocks."""
    images: int
    """Images to see in training."""
    patch: int = 16
    """Pixels a side of one transformer token: 16 is one cell of the grid."""
    batch: int = 64
    """Images a step."""
    learning_rate: float = 1e-3
    """Peak rate of both optimisers."""
    warm_up: int = 100
    """Steps of rising rate."""
    fall: float = 0.8
    """Last share of the training, over which the rate falls to zero."""
    average: float = 0.999
    """Decay of the weights' running average, which is what gets saved."""


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(name="shapes-large", width=128, layers=6, text_layers=2, images=900_000),
        Recipe(name="shapes-small", width=96, layers=3, text_layers=2, images=400_000),
        Recipe(name="shapes-tiny", width=64, layers=2, text_layers=1, images=200_000),
    )
}
