"""Flux.1 dev and schnell: CLIP for the gist, T5 for the words, a large transformer, a VAE.

dev takes its guidance as a number, not as a second row; schnell takes none.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import torch
from diffusers import AutoencoderKL, FluxPipeline, FluxTransformer2DModel
from transformers import CLIPTextModel, CLIPTokenizer, T5EncoderModel, T5Tokenizer

from argus_worker.families.base import FlowFamily, pack, unpack
from argus_worker.families.facts import Facts
from argus_worker.families.protocol import Conditioning, Rows


class FluxFamily(FlowFamily):
    """Drives the components of a `FluxPipeline`; negative prompts are not heeded."""

    PIPELINE = FluxPipeline
    TOKENIZERS: ClassVar = {"tokenizer": CLIPTokenizer, "tokenizer_2": T5Tokenizer}
    MODULES: ClassVar = {
        "text_encoder": CLIPTextModel,
        "text_encoder_2": T5EncoderModel,
        "transformer": FluxTransformer2DModel,
        "vae": AutoencoderKL,
    }
    COUNTED = ("tokenizer_2",)
    MAX_TOKENS = 512
    PACKED = True
    FACTS = Facts(
        side_multiple=16,
        min_side=256,
        max_side=2048,
        max_pixels=2 * 1024 * 1024,
        latent_space="flux1-vae",
        dtypes=("float32", "bfloat16"),
        step_caches=("magcache", "taylorseer"),
    )

    def encode(
        self,
        prompt: str,
        negative: str,  # noqa: ARG002 - there is no second row
        *,
        scale: float,
        width: int,  # noqa: ARG002 - the model is not told
        height: int,  # noqa: ARG002
    ) -> Conditioning:
        """States of T5, the gist of CLIP, and the guidance scale."""
        states, pooled, _ = self._pipeline.encode_prompt(
            prompt=prompt,
            prompt_2=None,
            device=self._net.device,
            max_sequence_length=self.MAX_TOKENS,
        )
        guidance = torch.tensor([scale], dtype=torch.float32, device=states.device)
        rows = {"states": states, "pooled": pooled, "guidance": guidance}
        return Conditioning(positive=rows, negative=None)

    def predict(self, latents: torch.Tensor, timesteps: torch.Tensor, rows: Rows) -> torch.Tensor:
        """Flow velocity."""
        _, _, height, width = latents.shape
        states = rows["states"]
        places = FluxPipeline._prepare_latent_image_ids(  # noqa: SLF001 - the model's own layout
            len(latents), height // 2, width // 2, latents.device, latents.dtype
        )
        prediction = self._net(
            hidden_states=pack(latents),
            timestep=timesteps.to(latents.dtype) / 1000,
            guidance=rows["guidance"] if self._net.config.guidance_embeds else None,
            pooled_projections=rows["pooled"],
            encoder_hidden_states=states,
            txt_ids=states.new_zeros(states.shape[1], 3),
            img_ids=places,
            return_dict=False,
        )[0]
        return unpack(prediction, latents)


class FluxSchnellFamily(FluxFamily):
    """Flux.1 schnell: 1 to 4 steps, no guidance, prompts half as long."""

    MAX_TOKENS = 256
    FACTS = dataclasses.replace(
        FluxFamily.FACTS, max_steps=4, guided=False, resumable=False, step_caches=()
    )
