"""The family's diffusers pipeline: T5 text encoder, PixArt transformer, flow matching, pixels.

No VAE: the latent is the picture itself, `[batch, 3, 48, 48]` in -1..1. The transformer
predicts the clean picture (x0), as "Back to Basics: Let Denoising Generative Models Denoise"
(arXiv 2511.13720) advises for large patches; the flow's velocity follows from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers import DiffusionPipeline, FlowMatchEulerDiscreteScheduler, PixArtTransformer2DModel
from diffusers.utils import BaseOutput
from diffusers.utils.torch_utils import randn_tensor
from PIL import Image
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Punctuation, Sequence, WhitespaceSplit
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast, T5Config, T5EncoderModel

from argus_shapes.captions import WORDS
from argus_shapes.painter import PIXELS
from argus_shapes.recipe import Recipe

MAX_TOKENS = 24
"""Longest caption in tokens, end mark included; the language needs 17."""
LEAST_SIGMA = 0.05
"""Noise share below which x0 would be divided by next to nothing."""

_SPECIAL = ("<pad>", "<unk>", "<end>")


@dataclass
class ShapesOutput(BaseOutput):  # type: ignore[misc]
    """`images`: PIL pictures, or a `[batch, 3, 48, 48]` latent where that was asked for."""

    images: list[Image.Image] | torch.Tensor


class ShapesPipeline(DiffusionPipeline):  # type: ignore[misc]
    """Draws captions of coloured shapes; save and load with diffusers' own calls."""

    model_cpu_offload_seq = "text_encoder->transformer"

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerFast,
        text_encoder: T5EncoderModel,
        transformer: PixArtTransformer2DModel,
        scheduler: FlowMatchEulerDiscreteScheduler,
    ) -> None:
        super().__init__()
        self.register_modules(
            tokenizer=tokenizer,
            text_encoder=text_encoder,
            transformer=transformer,
            scheduler=scheduler,
        )

    def encode_prompt(self, prompts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Text states `[batch, 24, width]` and their mask `[batch, 24]`; "" is unconditional."""
        tokens = self.tokenizer(
            prompts,
            padding="max_length",
            truncation=True,
            max_length=MAX_TOKENS,
            return_tensors="pt",
        ).to(self.device)
        return encode(self.text_encoder, tokens.input_ids), tokens.attention_mask

    @torch.no_grad()
    def __call__(
        self,
        prompt: str | list[str],
        num_inference_steps: int = 24,
        guidance_scale: float = 2.0,
        generator: torch.Generator | list[torch.Generator] | None = None,
        latents: torch.Tensor | None = None,
        output_type: str = "pil",
        callback_on_step_end: Callable[..., dict[str, Any]] | None = None,
    ) -> ShapesOutput:
        """Draw one picture a prompt; arguments as in diffusers' text-to-image pipelines."""
        prompts = [prompt] if isinstance(prompt, str) else prompt
        guided = guidance_scale != 1.0
        states, mask = self.encode_prompt([*prompts, *([""] * len(prompts) if guided else [])])
        shape = (len(prompts), self.transformer.config.in_channels, PIXELS, PIXELS)
        if latents is None:
            latents = randn_tensor(
                shape, generator=generator, device=self.device, dtype=states.dtype
            )
        self.scheduler.set_timesteps(sigmas=sigmas(num_inference_steps), device=self.device)
        with self.progress_bar(total=num_inference_steps) as progress:
            for i, timestep in enumerate(self.scheduler.timesteps):
                model_input = torch.cat([latents, latents]) if guided else latents
                velocity = predict_velocity(
                    self.transformer, model_input, timestep.expand(len(model_input)), states, mask
                )
                if guided:
                    conditional, unconditional = velocity.chunk(2)
                    velocity = unconditional + guidance_scale * (conditional - unconditional)
                latents = self.scheduler.step(velocity, timestep, latents, return_dict=False)[0]
                if callback_on_step_end is not None:
                    given = callback_on_step_end(self, i, timestep, {"latents": latents})
                    latents = given.pop("latents", latents)
                progress.update()
        if output_type == "latent":
            return ShapesOutput(images=latents)
        return ShapesOutput(images=to_images(latents))


def sigmas(steps: int) -> list[float]:
    """Noise shares at which the steps are taken, from 1 down to 1/steps; 0 follows unsaid."""
    return np.linspace(1.0, 1.0 / steps, steps).tolist()


def encode(text_encoder: T5EncoderModel, ids: torch.Tensor) -> torch.Tensor:
    """Text states `[batch, tokens, width]` of token ids, padding masked."""
    states: torch.Tensor = text_encoder(
        input_ids=ids, attention_mask=(ids != 0).long()
    ).last_hidden_state
    return states


def predict_velocity(
    transformer: PixArtTransformer2DModel,
    latents: torch.Tensor,
    timesteps: torch.Tensor,
    states: torch.Tensor,
    mask: torch.Tensor,
) -> torch.Tensor:
    """Flow velocity (noise minus picture) of a noisy batch; `timesteps` is 1000 x sigma each."""
    clean = transformer(
        latents,
        encoder_hidden_states=states,
        timestep=timesteps,
        encoder_attention_mask=mask,
        added_cond_kwargs={},
    ).sample
    sigma = (timesteps / 1000).to(latents.dtype).view(-1, 1, 1, 1).clamp_min(LEAST_SIGMA)
    velocity: torch.Tensor = (latents - clean) / sigma
    return velocity


def to_images(latents: torch.Tensor) -> list[Image.Image]:
    """Pictures of a `[batch, 3, height, width]` latent in -1..1, out-of-range values clamped."""
    pixels = ((latents.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return [Image.fromarray(picture.permute(1, 2, 0).cpu().numpy()) for picture in pixels]


def build(recipe: Recipe) -> ShapesPipeline:
    """A new pipeline of this recipe with random weights."""
    tokenizer = build_tokenizer()
    text_encoder = T5EncoderModel(
        T5Config(
            vocab_size=len(tokenizer),
            d_model=recipe.width,
            d_kv=32,
            d_ff=4 * recipe.width,
            num_layers=recipe.text_layers,
            num_heads=recipe.width // 32,
            dropout_rate=0.0,
            relative_attention_max_distance=32,
            pad_token_id=0,
            eos_token_id=2,
        )
    )
    look_nearby(text_encoder)
    transformer = PixArtTransformer2DModel(
        num_attention_heads=recipe.width // 32,
        attention_head_dim=32,
        in_channels=3,
        out_channels=3,
        num_layers=recipe.layers,
        cross_attention_dim=recipe.width,
        sample_size=PIXELS,
        patch_size=recipe.patch,
        caption_channels=recipe.width,
        use_additional_conditions=False,
        interpolation_scale=1,
    )
    return ShapesPipeline(tokenizer, text_encoder, transformer, FlowMatchEulerDiscreteScheduler())


def look_nearby(text_encoder: T5EncoderModel) -> None:
    """Start the text encoder's heads out near-sighted, as ALiBi (arXiv 2108.12409) does.

    T5 starts without any sense of place and learns it slowly; until then the words of one
    group cannot be told from those of another.
    """
    attention = text_encoder.encoder.block[0].layer[0].SelfAttention
    reach = 40
    offsets = torch.arange(-reach, reach + 1)
    buckets = attention._relative_position_bucket(  # noqa: SLF001 - the only way to its rule
        offsets,
        bidirectional=True,
        num_buckets=attention.relative_attention_num_buckets,
        max_distance=attention.relative_attention_max_distance,
    )
    heads = attention.n_heads
    slopes = 2.0 ** -torch.linspace(-1.0, 3.0, heads)
    with torch.no_grad():
        for bucket in range(attention.relative_attention_num_buckets):
            near = offsets[buckets == bucket].abs()
            distance = near.min() if len(near) else torch.tensor(reach)
            attention.relative_attention_bias.weight[bucket] = -slopes * distance


def build_tokenizer() -> PreTrainedTokenizerFast:
    """One token a word of the caption language; other words become `<unk>`."""
    words = (*_SPECIAL, *WORDS)
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.normalizer = Lowercase()
    tokenizer.pre_tokenizer = Sequence([WhitespaceSplit(), Punctuation()])
    tokenizer.post_processor = TemplateProcessing(single="$A <end>", special_tokens=[("<end>", 2)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        unk_token="<unk>",
        eos_token="<end>",
        model_max_length=MAX_TOKENS,
    )
