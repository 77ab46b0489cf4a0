"""Sana: Gemma as text encoder, linear attention, a VAE that shrinks sides by 32."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar

import torch
from diffusers import AutoencoderDC, SanaPipeline, SanaTransformer2DModel
from transformers import Gemma2Model, GemmaTokenizer

from argus_worker.families.base import MaskedFamily
from argus_worker.families.facts import Facts
from argus_worker.families.protocol import Rows


class SanaFamily(MaskedFamily):
    """Drives the components of a `SanaPipeline`, at the size asked for: no binning.

    Of its 300 tokens the pipeline sets two aside for marks, of which Gemma puts one.
    """

    PIPELINE = SanaPipeline
    TOKENIZERS: ClassVar = {"tokenizer": GemmaTokenizer}
    MODULES: ClassVar = {
        "text_encoder": Gemma2Model,
        "transformer": SanaTransformer2DModel,
        "vae": AutoencoderDC,
    }
    MAX_TOKENS = 299
    WIDE = True
    PATCH = 1
    FACTS = Facts(
        side_multiple=32,
        min_side=256,
        max_side=2048,
        max_pixels=2 * 1024 * 1024,
        latent_space="sana-dc-ae",
        ships="DPMSolverMultistepScheduler",
        dtypes=("float32", "bfloat16"),
    )

    def predict(self, latents: torch.Tensor, timesteps: torch.Tensor, rows: Rows) -> torch.Tensor:
        """Flow velocity, in the latents' dtype."""
        net = self._net
        prediction: torch.Tensor = net(
            latents.to(net.dtype),
            encoder_hidden_states=rows["states"].to(net.dtype),
            encoder_attention_mask=rows["mask"],
            timestep=timesteps * net.config.timestep_scale,
            return_dict=False,
        )[0]
        return prediction[:, : latents.shape[1]].to(latents.dtype)

    def _encoding(self) -> dict[str, Any]:
        """The prompt stands behind Sana's instruction, which the pipeline's call has."""
        call, name = inspect.signature(type(self._pipeline).__call__), "complex_human_instruction"
        return {name: call.parameters[name].default}
