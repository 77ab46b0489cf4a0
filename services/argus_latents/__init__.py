"""The latent store: half-denoised latents of earlier prompts, in a directory or in Redis."""

from argus_latents.opening import open_store

__all__ = ["open_store"]
