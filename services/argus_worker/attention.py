"""Which of torch's kernels a denoiser's attention takes: the quickest that draws the same."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from statistics import median
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

log = logging.getLogger(__name__)

TORCH = "torch"
"""Torch's own choice, call by call."""
KERNELS = {
    "flash": SDPBackend.FLASH_ATTENTION,
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
    "math": SDPBackend.MATH,
}
ROUNDS = 5
"""Forwards that are timed of each, after one that is not."""
GAIN = 0.05
"""Less is not worth that workers draw with different kernels."""
TOLERANCES = {torch.float32: 1e-4, torch.bfloat16: 3e-2, torch.float16: 5e-3}
"""Of the range of what a forward gives, by its dtype: kernels sum in other orders."""

Forward = Callable[[], torch.Tensor]


def preferring(name: str) -> Callable[[], AbstractContextManager[Any]]:
    """A context in which attention takes a kernel wherever that can do what is asked of it.

    A mask or a shape may be beyond it; then the others are there.
    """
    if name == TORCH:
        return nullcontext
    first = KERNELS[name]
    others = [kernel for kernel in KERNELS.values() if kernel is not first]
    return partial(sdpa_kernel, [first, *others], set_priority=True)


def quickest(
    forward: Forward, *, clock: Callable[[], float], settle: Callable[[], None]
) -> tuple[str, dict[str, float]]:
    """The kernel to take, and the median seconds of a forward by each that can and may be taken.

    Args:
        forward: the same at each call.
        clock: in seconds.
        settle: waits until the device has done what it was told.
    """
    own = forward()
    seconds = {TORCH: _timed(forward, clock, settle)}
    for name, kernel in KERNELS.items():
        with warnings.catch_warnings(), sdpa_kernel(kernel):
            # Why a kernel cannot, torch tells by warnings.
            warnings.simplefilter("ignore")
            try:
                found = forward()
                if _same(found, own):
                    seconds[name] = _timed(forward, clock, settle)
            except RuntimeError as error:
                log.debug("attention by %s cannot be had: %s", name, error)
    best = min(seconds, key=lambda name: seconds[name])
    return (best if seconds[best] <= (1 - GAIN) * seconds[TORCH] else TORCH), seconds


def _timed(forward: Forward, clock: Callable[[], float], settle: Callable[[], None]) -> float:
    times = []
    for _ in range(ROUNDS):
        settle()
        began = clock()
        forward()
        settle()
        times.append(clock() - began)
    return median(times)


def _same(found: torch.Tensor, own: torch.Tensor) -> bool:
    span = (own.max() - own.min()).item()
    return bool((found - own).abs().max().item() <= TOLERANCES[own.dtype] * span)
