"""Flux.2-klein: Qwen3 as text encoder, a transformer distilled to four steps, Flux.2's VAE."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from diffusers import AutoencoderKLFlux2, Flux2KleinPipeline, Flux2Transformer2DModel
from diffusers.pipelines.flux2.pipeline_flux2_klein import compute_empirical_mu
from PIL.Image import Image
from transformers import Qwen2Tokenizer, Qwen3ForCausalLM

from argus_worker.families.base import FlowFamily, talked
from argus_worker.families.facts import Facts
from argus_worker.families.protocol import Conditioning, Rows


class Flux2KleinFamily(FlowFamily):
    """Drives the components of a `Flux2KleinPipeline`, distilled: no guidance.

    A latent `[1, 128, height / 16, width / 16]` has the VAE's squares of two by two as channels.
    """

    PIPELINE = Flux2KleinPipeline
    TOKENIZERS: ClassVar = {"tokenizer": Qwen2Tokenizer}
    MODULES: ClassVar = {
        "text_encoder": Qwen3ForCausalLM,
        "transformer": Flux2Transformer2DModel,
        "vae": AutoencoderKLFlux2,
    }
    MAX_TOKENS = 512
    FACTS = Facts(
        side_multiple=16,
        min_side=256,
        max_side=2048,
        max_pixels=2 * 1024 * 1024,
        latent_space="flux2-vae",
        max_steps=8,
        guided=False,
        resumable=False,
        dtypes=("float32", "bfloat16"),
    )

    def tokens(self, prompt: str) -> int:
        """Of the prompt in the encoder's form of a talk."""
        (counter,) = self._counters
        return talked(counter, prompt, thinking=False)

    def encode(
        self,
        prompt: str,
        negative: str,  # noqa: ARG002 - there is no second row
        *,
        scale: float,  # noqa: ARG002
        width: int,  # noqa: ARG002 - the model is not told
        height: int,  # noqa: ARG002
    ) -> Conditioning:
        """States of three layers, filled up to the bound, and their places."""
        states, places = self._pipeline.encode_prompt(prompt, self._net.device)
        return Conditioning(positive={"states": states, "places": places}, negative=None)

    def latent_shape(self, width: int, height: int) -> tuple[int, ...]:
        """`[1, 128, height / 16, width / 16]`."""
        scale = self._pipeline.vae_scale_factor * 2
        return (1, self._net.config.in_channels, height // scale, width // scale)

    def predict(self, latents: torch.Tensor, timesteps: torch.Tensor, rows: Rows) -> torch.Tensor:
        """Flow velocity."""
        places = self._pipeline._prepare_latent_ids(latents)  # noqa: SLF001 - the model's own layout
        prediction: torch.Tensor = self._net(
            hidden_states=latents.flatten(2).transpose(1, 2),
            timestep=timesteps.to(latents.dtype) / 1000,
            guidance=None,
            encoder_hidden_states=rows["states"],
            txt_ids=rows["places"],
            img_ids=places.to(latents.device),
            return_dict=False,
        )[0]
        return prediction.transpose(1, 2).reshape(latents.shape)

    def decode(self, latent: torch.Tensor) -> Image:
        """Through the VAE, whose batch normalisation tells mean and deviation."""
        norm = self._vae.bn
        latent = latent.to(self._vae.dtype)
        mean = norm.running_mean.view(1, -1, 1, 1).to(latent)
        spread = norm.running_var.view(1, -1, 1, 1) + self._vae.config.batch_norm_eps
        latent = latent * torch.sqrt(spread).to(latent) + mean
        planes = self._pipeline._unpatchify_latents(latent)  # noqa: SLF001
        return self._picture(self._through_vae(planes))

    def _shift(self, scheduler: Any, steps: int, width: int, height: int) -> float:  # noqa: ARG002
        """By the model's own rule, of tokens and steps."""
        _, _, rows, columns = self.latent_shape(width, height)
        shift: float = compute_empirical_mu(image_seq_len=rows * columns, num_steps=steps)
        return shift
