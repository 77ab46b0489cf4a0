"""PixArt-Sigma: a T5 encoder, a small diffusion transformer, SDXL's VAE."""

from __future__ import annotations

from typing import ClassVar

import torch
from diffusers import AutoencoderKL, PixArtSigmaPipeline, PixArtTransformer2DModel
from transformers import T5EncoderModel, T5Tokenizer

from argus_worker.families.base import MaskedFamily
from argus_worker.families.facts import Facts
from argus_worker.families.protocol import Rows


class PixArtFamily(MaskedFamily):
    """Drives the components of a `PixArtSigmaPipeline`, at the size asked for: no binning."""

    PIPELINE = PixArtSigmaPipeline
    TOKENIZERS: ClassVar = {"tokenizer": T5Tokenizer}
    MODULES: ClassVar = {
        "text_encoder": T5EncoderModel,
        "transformer": PixArtTransformer2DModel,
        "vae": AutoencoderKL,
    }
    MAX_TOKENS = 300
    FACTS = Facts(
        side_multiple=16,
        min_side=256,
        max_side=2048,
        max_pixels=2 * 1024 * 1024,
        latent_space="sdxl-vae",
        ships="DPMSolverMultistepScheduler",
        dtypes=("float32", "bfloat16"),
        loras=False,
    )

    def predict(self, latents: torch.Tensor, timesteps: torch.Tensor, rows: Rows) -> torch.Tensor:
        """Noise; the variance that the model also tells is not used."""
        prediction: torch.Tensor = self._net(
            latents,
            encoder_hidden_states=rows["states"],
            encoder_attention_mask=rows["mask"],
            timestep=timesteps,
            added_cond_kwargs={"resolution": None, "aspect_ratio": None},
            return_dict=False,
        )[0]
        return prediction[:, : latents.shape[1]]
