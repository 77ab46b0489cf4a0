"""SDXL and its kin of smaller UNets (SSD-1B, Vega): two CLIP encoders, a UNet, a VAE.

Encoding, scheduling and decoding are diffusers' own; the loop is the engine's.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from diffusers import AutoencoderKL, StableDiffusionXLPipeline, UNet2DConditionModel
from PIL.Image import Image
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from argus_worker.families import unet
from argus_worker.families.facts import Facts
from argus_worker.families.protocol import Conditioning, Rows


class SdxlFamily(unet.UnetFamily):
    """Drives the components of a `StableDiffusionXLPipeline`."""

    PIPELINE = StableDiffusionXLPipeline
    TOKENIZERS: ClassVar = {"tokenizer": CLIPTokenizer, "tokenizer_2": CLIPTokenizer}
    MODULES: ClassVar = {
        "text_encoder": CLIPTextModel,
        "text_encoder_2": CLIPTextModelWithProjection,
        "unet": UNet2DConditionModel,
        "vae": AutoencoderKL,
    }
    COUNTED = ("tokenizer", "tokenizer_2")
    PREVIEW = (
        torch.tensor([[60, 60, 60], [-60, -5, 10], [25, 15, -5], [-70, -50, -35]]),
        torch.tensor([150, 140, 130]),
    )
    FACTS = Facts(
        side_multiple=32,
        min_side=256,
        max_side=2048,
        max_pixels=2 * 1024 * 1024,
        latent_space="sdxl-vae",
    )

    @classmethod
    def _extras(cls) -> dict[str, Any]:
        return {"add_watermarker": False}

    def encode(
        self, prompt: str, negative: str, *, scale: float, width: int, height: int
    ) -> Conditioning:
        """Embeddings of both encoders, the pooled one, and the size as SDXL wants to know it."""
        device, guided = self._net.device, self._guided(scale)
        plus, minus, pooled_plus, pooled_minus = self._pipeline.encode_prompt(
            prompt=prompt,
            device=device,
            num_images_per_prompt=1,
            do_classifier_free_guidance=guided,
            # None, not "": only then does the pipeline zero the embedding where it should.
            negative_prompt=negative or None,
        )
        sizes = torch.tensor([[height, width, 0, 0, height, width]], dtype=plus.dtype)
        sizes = sizes.to(device)
        return Conditioning(
            positive={"states": plus, "pooled": pooled_plus, "sizes": sizes},
            negative={"states": minus, "pooled": pooled_minus, "sizes": sizes} if guided else None,
        )

    def predict(self, latents: torch.Tensor, timesteps: torch.Tensor, rows: Rows) -> torch.Tensor:
        """Noise, or whatever the scheduler config says the UNet predicts."""
        prediction: torch.Tensor = self._net(
            latents,
            timesteps,
            encoder_hidden_states=rows["states"],
            added_cond_kwargs={"text_embeds": rows["pooled"], "time_ids": rows["sizes"]},
            return_dict=False,
        )[0]
        return prediction

    def decode(self, latent: torch.Tensor) -> Image:
        """Through the VAE, whose config may tell mean and deviation of latents."""
        config = self._vae.config
        mean, deviation = (getattr(config, name, None) for name in ("latents_mean", "latents_std"))
        if mean is None or deviation is None:
            return super().decode(latent)
        latent = latent.to(self._vae.dtype)
        shift, scale = (
            torch.tensor(values).view(1, -1, 1, 1).to(latent) for values in (mean, deviation)
        )
        latent = latent * scale / config.scaling_factor + shift
        return self._picture(self._through_vae(latent))
