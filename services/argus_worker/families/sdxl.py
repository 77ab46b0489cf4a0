"""SDXL and its kin of smaller UNets: two CLIP encoders, a UNet, a VAE.

Encoding, scheduling and decoding are diffusers' own; the loop is the engine's. Turbo and
Lightning variants are the same classes with other weights and another scheduler config.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from diffusers import AutoencoderKL, StableDiffusionXLPipeline, UNet2DConditionModel
from PIL import Image
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from argus_worker import components
from argus_worker.components import load_module, load_tokenizer
from argus_worker.families.protocol import BadModel, Conditioning, Limits, Rows

_PREVIEW_WEIGHTS = torch.tensor([[60, 60, 60], [-60, -5, 10], [25, 15, -5], [-70, -50, -35]])
_PREVIEW_BIAS = torch.tensor([150, 140, 130]).view(3, 1, 1)
"""Linear likeness of SDXL's VAE, from diffusers' guide to callbacks."""


class SdxlFamily:
    """Drives the components of a `StableDiffusionXLPipeline`."""

    def __init__(self, pipeline: StableDiffusionXLPipeline) -> None:
        if pipeline.unet.config.time_cond_proj_dim is not None:
            raise BadModel("the UNet takes its guidance as an embedding, which is not supported")
        self._pipeline, self._unet, self._vae = pipeline, pipeline.unet, pipeline.vae
        # A tokenizer's padding is set call by call: the event loop counts with its own.
        self._counters = copy.deepcopy([pipeline.tokenizer, pipeline.tokenizer_2])
        names = ("text_encoder", "text_encoder_2", "unet", "vae")
        self.modules = {name: getattr(pipeline, name) for name in names}
        self.scheduler = pipeline.scheduler
        self.dtype = self._unet.dtype
        self.limits = _limits(pipeline)

    @classmethod
    def load(cls, folder: Path, *, dtype: torch.dtype) -> Self:
        """Read a folder as `StableDiffusionXLPipeline.save_pretrained` writes it."""
        index = components.read_index(folder)
        # The VAE overflows in float16 where its config says so: keep it wide, never recast it.
        wide = dtype == torch.float16 and AutoencoderKL.load_config(folder / "vae").get(
            "force_upcast", True
        )
        pipeline = StableDiffusionXLPipeline(
            tokenizer=load_tokenizer(CLIPTokenizer, folder, "tokenizer"),
            tokenizer_2=load_tokenizer(CLIPTokenizer, folder, "tokenizer_2"),
            text_encoder=load_module(CLIPTextModel, folder, "text_encoder", dtype=dtype),
            text_encoder_2=load_module(
                CLIPTextModelWithProjection, folder, "text_encoder_2", dtype=dtype
            ),
            unet=load_module(UNet2DConditionModel, folder, "unet", dtype=dtype),
            vae=load_module(AutoencoderKL, folder, "vae", dtype=torch.float32 if wide else dtype),
            scheduler=components.load_scheduler(folder),
            force_zeros_for_empty_prompt=index.get("force_zeros_for_empty_prompt", True),
            add_watermarker=False,
        )
        return cls(pipeline)

    def tokens(self, prompt: str) -> int:
        """The longer of the two tokenizers' counts."""
        return max(len(count(prompt, truncation=False).input_ids) for count in self._counters)

    def guided(self, scale: float) -> bool:
        """As in the pipeline: anything above 1."""
        return scale > 1.0

    def encode(
        self, prompt: str, negative: str, *, guided: bool, width: int, height: int
    ) -> Conditioning:
        """Embeddings of both encoders, the pooled one, and the size as SDXL wants to know it."""
        device = self._unet.device
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

    def set_timesteps(self, scheduler: Any, steps: int) -> None:
        """The scheduler's own spacing."""
        scheduler.set_timesteps(steps)

    def latent_shape(self, width: int, height: int) -> tuple[int, ...]:
        """`[1, 4, height / 8, width / 8]`."""
        scale = self._pipeline.vae_scale_factor
        return (1, self._unet.config.in_channels, height // scale, width // scale)

    def predict(self, latents: torch.Tensor, timesteps: torch.Tensor, rows: Rows) -> torch.Tensor:
        """Noise, or whatever the scheduler config says the UNet predicts."""
        prediction: torch.Tensor = self._unet(
            latents,
            timesteps,
            encoder_hidden_states=rows["states"],
            added_cond_kwargs={"text_embeds": rows["pooled"], "time_ids": rows["sizes"]},
            return_dict=False,
        )[0]
        return prediction

    def decode(self, latent: torch.Tensor) -> Image.Image:
        """Through the VAE."""
        config = self._vae.config
        latent = latent.to(self._vae.dtype)
        mean, deviation = (getattr(config, name, None) for name in ("latents_mean", "latents_std"))
        if mean is not None and deviation is not None:
            shift, scale = (
                torch.tensor(values).view(1, -1, 1, 1).to(latent) for values in (mean, deviation)
            )
            latent = latent * scale / config.scaling_factor + shift
        else:
            latent = latent / config.scaling_factor
        pixels = self._vae.decode(latent, return_dict=False)[0]
        picture: Image.Image = self._pipeline.image_processor.postprocess(pixels)[0]
        return picture

    def preview(self, latent: torch.Tensor) -> Image.Image:
        """An eighth of the picture's size, without the VAE."""
        if latent.shape[1] != len(_PREVIEW_WEIGHTS):
            return self.decode(latent)
        values = latent[0].float().cpu()
        colours = torch.einsum("lyx,lr->ryx", values, _PREVIEW_WEIGHTS.float()) + _PREVIEW_BIAS
        pixels = colours.clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()
        return Image.fromarray(np.ascontiguousarray(pixels))


def _limits(pipeline: StableDiffusionXLPipeline) -> Limits:
    native = pipeline.unet.config.sample_size * pipeline.vae_scale_factor
    halvings = len(pipeline.unet.config.down_block_types) - 1
    return Limits(
        width=native,
        height=native,
        min_side=native // 4,
        max_side=native * 2,
        side_multiple=pipeline.vae_scale_factor * 2**halvings,
        max_pixels=native * native * 2,
        # The spacing of more than half the training's timesteps can step over their end.
        max_steps=min(1000, pipeline.scheduler.config.num_train_timesteps // 2),
        max_prompt_tokens=min(
            pipeline.tokenizer.model_max_length, pipeline.tokenizer_2.model_max_length
        ),
        resumable=components.resumable(pipeline.scheduler),
    )
