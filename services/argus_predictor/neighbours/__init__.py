"""The prompts that latents were kept of: who is near, what is worth keeping, what goes."""

from argus_predictor.neighbours.around import Around, Found, Wanted
from argus_predictor.neighbours.neighbours import Neighbours

__all__ = ["Around", "Found", "Neighbours", "Wanted"]
