"""Where training and evaluation run."""

from __future__ import annotations

import torch


def prepare(threads: int) -> str:
    """Hold torch to so many CPU threads; returns `cuda` where there is a GPU, else `cpu`."""
    torch.set_num_threads(threads)
    return "cuda" if torch.cuda.is_available() else "cpu"
