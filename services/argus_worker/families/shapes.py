"""The project's own small models: T5 text encoder, PixArt transformer, flow matching, pixels."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, Self

import torch
from diffusers import PixArtTransformer2DModel
from PIL.Image import Image
from transformers import PreTrainedTokenizerFast, T5EncoderModel

from argus_shapes import pipeline as shapes
from argus_worker import quantizing
from argus_worker.components import load_module, load_scheduler, load_tokenizer, read_index
from argus_worker.families.base import Usual
from argus_worker.families.facts import Facts
from argus_worker.families.protocol import Conditioning, Limits, Rows


class ShapesFamily(Usual):
    """Drives an `argus_shapes.pipeline.ShapesPipeline`; the latent is the picture."""

    FACTS = Facts(
        side_multiple=16,
        min_side=48,
        max_side=48,
        max_pixels=48 * 48,
        latent_space="pixels",
        max_steps=1000,
        loras=False,
    )

    def __init__(
        self, *, tokenizer: Any, text_encoder: Any, transformer: Any, scheduler: Any
    ) -> None:
        self._tokenizer = tokenizer
        # A tokenizer's padding is set call by call: the event loop counts with its own.
        self._counter = copy.deepcopy(tokenizer)
        self._text_encoder, self._transformer = text_encoder, transformer
        self.modules = {"text_encoder": text_encoder, "transformer": transformer}
        self.denoiser = transformer
        self.scheduler = scheduler
        self.dtype = transformer.dtype
        side = transformer.config.sample_size
        self.limits = Limits(
            width=side,
            height=side,
            min_side=side,
            max_side=side,
            side_multiple=side,
            max_pixels=side * side,
            max_steps=1000,
            max_prompt_tokens=shapes.MAX_TOKENS,
        )

    @classmethod
    def load(cls, folder: Path, *, dtype: torch.dtype) -> Self:
        """Read the folder that `ShapesPipeline.save_pretrained` wrote."""
        read_index(folder)
        return cls(
            tokenizer=load_tokenizer(PreTrainedTokenizerFast, folder, "tokenizer"),
            text_encoder=load_module(T5EncoderModel, folder, "text_encoder", dtype=dtype),
            transformer=load_module(PixArtTransformer2DModel, folder, "transformer", dtype=dtype),
            scheduler=load_scheduler(folder),
        )

    def quantized(self) -> Self:
        """The same model with its transformer's blocks in eight bits."""
        return type(self)(
            tokenizer=self._tokenizer,
            text_encoder=self._text_encoder,
            transformer=quantizing.quantized(self._transformer),
            scheduler=self.scheduler,
        )

    @classmethod
    def encoders(cls) -> frozenset[str]:
        """Tokenizer and text encoder."""
        return frozenset({"tokenizer", "text_encoder"})

    def tokens(self, prompt: str) -> int:
        """Words and the end mark."""
        return len(self._counter(prompt, padding=False, truncation=False).input_ids)

    def encode(
        self,
        prompt: str,
        negative: str,
        *,
        scale: float,
        width: int,  # noqa: ARG002 - the model knows one size
        height: int,  # noqa: ARG002
    ) -> Conditioning:
        """Text states and mask; an empty negative prompt is the unconditional one.

        As in the pipeline, anything but 1 is guided.
        """
        guided = scale != 1.0
        tokens = self._tokenizer(
            [prompt, negative] if guided else [prompt],
            padding="max_length",
            truncation=True,
            max_length=shapes.MAX_TOKENS,
            return_tensors="pt",
        ).to(self._transformer.device)
        states = shapes.encode(self._text_encoder, tokens.input_ids)
        mask = tokens.attention_mask
        rows: list[Rows] = [
            {"states": states[i : i + 1], "mask": mask[i : i + 1]} for i in range(len(states))
        ]
        return Conditioning(positive=rows[0], negative=rows[1] if guided else None)

    def set_timesteps(self, scheduler: Any, steps: int, *, width: int, height: int) -> None:  # noqa: ARG002
        """Noise shares from 1 down, evenly."""
        scheduler.set_timesteps(sigmas=shapes.sigmas(steps))

    def latent_shape(self, width: int, height: int) -> tuple[int, ...]:
        """`[1, 3, height, width]`."""
        return (1, self._transformer.config.in_channels, height, width)

    def predict(self, latents: torch.Tensor, timesteps: torch.Tensor, rows: Rows) -> torch.Tensor:
        """Flow velocity."""
        return shapes.predict_velocity(
            self._transformer, latents, timesteps, rows["states"], rows["mask"]
        )

    def decode(self, latent: torch.Tensor) -> Image:
        """The latent, clamped."""
        return shapes.to_images(latent)[0]

    def preview(self, latent: torch.Tensor) -> Image:
        """As cheap as the picture itself."""
        return self.decode(latent)
