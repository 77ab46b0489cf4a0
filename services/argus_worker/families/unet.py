"""What the families with a UNet share: guidance by a second row, cheap previews, sizes."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image

from argus_worker.errors import BadModel
from argus_worker.families.base import PipelineFamily
from argus_worker.families.protocol import Limits


class UnetFamily(PipelineFamily):
    """A UNet over latents an eighth of the picture's size."""

    DENOISER = "unet"
    PREVIEW: ClassVar[tuple[torch.Tensor, torch.Tensor]]
    """Weights `[latent channels, 3]` and bias of a linear likeness of the VAE, in 0 to 255; from
    diffusers' guide to callbacks."""

    def __init__(self, pipeline: Any) -> None:
        if pipeline.unet.config.time_cond_proj_dim is not None:
            raise BadModel("the UNet takes its guidance as an embedding, which is not supported")
        super().__init__(pipeline)

    def preview(self, latent: torch.Tensor) -> Image.Image:
        """An eighth of the picture's size, without the VAE."""
        weights, bias = self.PREVIEW
        if latent.shape[1] != len(weights):
            return self.decode(latent)
        colours = torch.einsum("lyx,lr->ryx", latent[0].float().cpu(), weights.float())
        pixels = (colours + bias.view(3, 1, 1)).clamp(0, 255).to(torch.uint8).permute(1, 2, 0)
        return Image.fromarray(np.ascontiguousarray(pixels.numpy()))

    def _guided(self, scale: float) -> bool:
        """As in the pipelines: anything above 1."""
        return scale > 1.0

    def _limits(self) -> Limits:
        native = self._native()
        halvings = len(self._net.config.down_block_types) - 1
        return dataclasses.replace(
            super()._limits(),
            min_side=native // 4,
            max_side=native * 2,
            side_multiple=self._pipeline.vae_scale_factor * 2**halvings,
            max_pixels=native * native * 2,
            max_prompt_tokens=min(counter.model_max_length for counter in self._counters),
        )
