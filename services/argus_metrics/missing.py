"""Errors of metrics that lack something, each with what to do about it."""

from __future__ import annotations

from argus_core.errors import NotBuilt


def package_missing(metric: str, error: ImportError) -> NotBuilt:
    """A package is not installed, or does not fit the others."""
    what = (
        "pip install hpsv3" if metric == "hpsv3" else "pip install '.[metrics]' in Argus's sources"
    )
    return NotBuilt(f"metric {metric!r} cannot be used here ({error}); {what}, or see its docs")


def model_missing(model: str, error: Exception) -> NotBuilt:
    """Weights are not there and cannot be fetched, or are no safetensors."""
    return NotBuilt(
        f"cannot load {model} ({_first_line(error)}); name a directory that holds it as "
        "safetensors, such as clip:/models/clip, or let the worker reach the Hugging Face Hub"
    )


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
