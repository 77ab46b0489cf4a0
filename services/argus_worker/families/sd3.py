"""Stable Diffusion 3 and 3.5: two CLIP encoders, perhaps a T5, a diffusion transformer, a VAE."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from diffusers import AutoencoderKL, SD3Transformer2DModel, StableDiffusion3Pipeline
from transformers import (
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5EncoderModel,
    T5Tokenizer,
)

from argus_worker.families.base import FlowFamily
from argus_worker.families.facts import Facts
from argus_worker.families.protocol import Conditioning, Rows


class Sd3Family(FlowFamily):
    """Drives the components of a `StableDiffusion3Pipeline`; T5 may be left out of the folder."""

    PIPELINE = StableDiffusion3Pipeline
    TOKENIZERS: ClassVar = {
        "tokenizer": CLIPTokenizer,
        "tokenizer_2": CLIPTokenizer,
        "tokenizer_3": T5Tokenizer,
    }
    MODULES: ClassVar = {
        "text_encoder": CLIPTextModelWithProjection,
        "text_encoder_2": CLIPTextModelWithProjection,
        "text_encoder_3": T5EncoderModel,
        "transformer": SD3Transformer2DModel,
        "vae": AutoencoderKL,
    }
    OPTIONAL = frozenset({"tokenizer_3", "text_encoder_3"})
    MAX_TOKENS = 256
    MAX_SHIFT = 1.16
    FACTS = Facts(
        side_multiple=16,
        min_side=256,
        max_side=2048,
        max_pixels=2 * 1024 * 1024,
        latent_space="sd3-vae",
        dtypes=("float32", "bfloat16"),
    )

    def __init__(self, pipeline: StableDiffusion3Pipeline) -> None:
        # T5 sees the whole prompt; the CLIP encoders see its first 77 tokens, as in the pipeline.
        self.COUNTED = ("tokenizer_3",) if pipeline.tokenizer_3 is not None else ("tokenizer",)
        self.MAX_TOKENS = 256 if pipeline.tokenizer_3 is not None else 77
        super().__init__(pipeline)

    def set_timesteps(self, scheduler: Any, steps: int, *, width: int, height: int) -> None:
        """The scheduler's own spacing, shifted by the latent's length where it asks for that."""
        dynamic = scheduler.config.get("use_dynamic_shifting")
        shift = {"mu": self._shift(scheduler, steps, width, height)} if dynamic else {}
        scheduler.set_timesteps(steps, **shift)

    def encode(
        self,
        prompt: str,
        negative: str,
        *,
        scale: float,
        width: int,  # noqa: ARG002 - the model is not told
        height: int,  # noqa: ARG002
    ) -> Conditioning:
        """States of all encoders behind one another, and the pooled ones of both CLIPs."""
        guided = scale > 1.0
        plus, minus, pooled_plus, pooled_minus = self._pipeline.encode_prompt(
            prompt=prompt,
            prompt_2=None,
            prompt_3=None,
            device=self._net.device,
            do_classifier_free_guidance=guided,
            negative_prompt=negative or None,
        )
        return Conditioning(
            positive={"states": plus, "pooled": pooled_plus},
            negative={"states": minus, "pooled": pooled_minus} if guided else None,
        )

    def predict(self, latents: torch.Tensor, timesteps: torch.Tensor, rows: Rows) -> torch.Tensor:
        """Flow velocity."""
        prediction: torch.Tensor = self._net(
            hidden_states=latents,
            timestep=timesteps,
            encoder_hidden_states=rows["states"],
            pooled_projections=rows["pooled"],
            return_dict=False,
        )[0]
        return prediction
