"""The prompts that latents were kept of: who is near, what is worth keeping, what goes."""

from argus_predictor.neighbours.neighbours import Found, Neighbours, Wanted

__all__ = ["Found", "Neighbours", "Wanted"]
