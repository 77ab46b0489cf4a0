"""Denoisers that skip work within their steps, by diffusers' hooks, lent to one sample at a time.

A hooked denoiser is a likeness over the same tensors, so the plain one is never touched. What the
hooks remember is one sample's: it is forgotten when the denoiser comes back, and no two samples
share one. Likenesses hold the device's tensors: they are thrown away before those change.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from diffusers.hooks import MagCacheConfig, TaylorSeerCacheConfig
from diffusers.hooks.mag_cache import FLUX_MAG_RATIOS

from argus_core.step_cache import StepCache
from argus_worker.likeness import shared_memory

SPARES = 2
"""Of a kind that are kept for the next sample; making one takes about as long as its modules are
many."""


class Lender:
    """Hooked likenesses of one denoiser."""

    def __init__(self, net: Any) -> None:
        self._net = net
        self._spares: dict[tuple[StepCache, int], list[Any]] = {}

    def lend(self, cache: StepCache, steps: int) -> Any:
        """A denoiser that remembers nothing, for a schedule of so many steps."""
        spares = self._spares.get((cache, steps))
        return spares.pop() if spares else self._made(cache, steps)

    def take_back(self, net: Any, cache: StepCache, steps: int) -> None:
        """Have it forget what it has seen."""
        net._reset_stateful_cache()  # noqa: SLF001 - what pipelines call at their end
        spares = self._spares.setdefault((cache, steps), [])
        if len(spares) < SPARES:
            spares.append(net)

    def forget(self) -> None:
        """Throw away what is spare."""
        self._spares.clear()

    def _made(self, cache: StepCache, steps: int) -> Any:
        net = copy.deepcopy(self._net, shared_memory({"net": self._net}))
        net.enable_cache(_config(cache, steps, net.dtype))
        return net


def _config(cache: StepCache, steps: int, dtype: torch.dtype) -> Any:
    if cache.method == "magcache":
        return MagCacheConfig(
            threshold=cache["threshold"],
            max_skip_steps=int(cache["skips"]),
            retention_ratio=cache["retention"],
            num_inference_steps=steps,
            mag_ratios=FLUX_MAG_RATIOS,
        )
    return TaylorSeerCacheConfig(
        cache_interval=int(cache["interval"]),
        max_order=int(cache["order"]),
        disable_cache_before_step=int(cache["warmup"]),
        taylor_factors_dtype=dtype,
    )
