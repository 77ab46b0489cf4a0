"""Stable Diffusion 1.5: one CLIP encoder, a UNet, a VAE. No safety checker is loaded."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from argus_worker.families import unet
from argus_worker.families.facts import Facts
from argus_worker.families.protocol import Conditioning, Rows


class Sd15Family(unet.UnetFamily):
    """Drives the components of a `StableDiffusionPipeline`."""

    PIPELINE = StableDiffusionPipeline
    TOKENIZERS: ClassVar = {"tokenizer": CLIPTokenizer}
    MODULES: ClassVar = {
        "text_encoder": CLIPTextModel,
        "unet": UNet2DConditionModel,
        "vae": AutoencoderKL,
    }
    PREVIEW = (
        torch.tensor([[38, 26, 27], [24, 36, 23], [-20, 20, 34], [-24, -33, -60]]),
        torch.tensor([127, 127, 127]),
    )
    FACTS = Facts(
        side_multiple=64,
        min_side=128,
        max_side=1024,
        max_pixels=2 * 512 * 512,
        latent_space="sd1-vae",
        # The first models come with a scheduler that keeps its history.
        ships="PNDMScheduler",
    )

    @classmethod
    def _extras(cls) -> dict[str, Any]:
        return {"requires_safety_checker": False}

    def encode(
        self,
        prompt: str,
        negative: str,
        *,
        scale: float,
        width: int,  # noqa: ARG002 - the model is not told
        height: int,  # noqa: ARG002
    ) -> Conditioning:
        """States of the text."""
        guided = self._guided(scale)
        plus, minus = self._pipeline.encode_prompt(
            prompt, self._net.device, 1, guided, negative or None
        )
        return Conditioning(
            positive={"states": plus}, negative={"states": minus} if guided else None
        )

    def predict(self, latents: torch.Tensor, timesteps: torch.Tensor, rows: Rows) -> torch.Tensor:
        """Noise, or whatever the scheduler config says the UNet predicts."""
        prediction: torch.Tensor = self._net(
            latents, timesteps, encoder_hidden_states=rows["states"], return_dict=False
        )[0]
        return prediction
