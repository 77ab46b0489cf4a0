"""One image being denoised: its own scheduler copy, latent and place in the schedule."""

from __future__ import annotations

import copy
import inspect
from typing import Any

import torch

from argus_worker import noise
from argus_worker.encodings import Encodings
from argus_worker.latents import pack
from argus_worker.order import Captured, Order


class Sample:
    """State of one order between steps; nothing in it is shared with another sample."""

    def __init__(
        self, order: Order, *, device: torch.device, encodings: Encodings | None = None
    ) -> None:
        """`encodings` has what like orders were encoded to."""
        self.order, family = order, order.held.family
        self.scheduler = copy.deepcopy(family.scheduler)
        family.set_timesteps(self.scheduler, order.steps, width=order.width, height=order.height)
        if hasattr(self.scheduler, "set_begin_index"):
            self.scheduler.set_begin_index(order.skipped_steps)
        self._draws = "generator" in inspect.signature(self.scheduler.step).parameters
        self.done = order.skipped_steps
        """Steps behind it, skipped ones included."""
        self.captured: list[Captured] = []
        self.conditioning = (encodings or Encodings(limit_bytes=0)).of(order, device)
        self.latent = self._begin().to(device)
        cache, lender = order.step_cache, family.lender()
        self.net: Any = lender.lend(cache, order.steps) if cache and lender else None
        """A denoiser of its own, where work is skipped within steps."""

    def close(self) -> None:
        """Give back what was lent; the sample is of no use any more."""
        cache, lender = self.order.step_cache, self.order.held.family.lender()
        if self.net is not None and cache and lender:
            lender.take_back(self.net, cache, self.order.steps)
        self.net = None

    @property
    def finished(self) -> bool:
        """Whether no step is left."""
        return self.done == self.order.steps

    @property
    def timestep(self) -> torch.Tensor:
        """Of the step to take; a scalar on the host."""
        timestep: torch.Tensor = self.scheduler.timesteps[self.done]
        return timestep

    def model_input(self) -> torch.Tensor:
        """The latent as the model wants to see it."""
        if not hasattr(self.scheduler, "scale_model_input"):
            return self.latent
        scaled: torch.Tensor = self.scheduler.scale_model_input(self.latent, self.timestep)
        return scaled

    def advance(self, prediction: torch.Tensor) -> torch.Tensor:
        """Take a step; returns what the finished latent looks like from here."""
        drawn = (
            {"generator": noise.generator(self.order.seed, self.done + 1)} if self._draws else {}
        )
        before, at = self.latent, self.done
        taken = self.scheduler.step(prediction, self.timestep, before, **drawn)
        self.latent = taken.prev_sample.to(before.dtype)
        self.done += 1
        if self.done in self.order.capture_steps:
            self.captured.append(Captured(step=self.done, data=pack(self.latent)))
        clean: torch.Tensor | None = getattr(taken, "pred_original_sample", None)
        return _clean(self.scheduler, at, before, prediction) if clean is None else clean

    def _begin(self) -> torch.Tensor:
        order, family = self.order, self.order.held.family
        if order.start is not None:
            return order.start
        # Drawn in the latent's own dtype, as diffusers' pipelines do.
        drawn = torch.randn(
            family.latent_shape(order.width, order.height),
            generator=noise.generator(order.seed, 0),
            dtype=family.dtype,
        )
        return drawn * family.noise_scale(self.scheduler)


def _clean(scheduler: Any, at: int, latent: torch.Tensor, prediction: torch.Tensor) -> torch.Tensor:
    """Flow schedulers do not tell the clean latent: it lies straight along the velocity.

    DPM-Solver keeps it as its history.
    """
    if kept := getattr(scheduler, "model_outputs", None):
        return kept[-1]
    return latent - scheduler.sigmas[at].to(latent.dtype) * prediction
