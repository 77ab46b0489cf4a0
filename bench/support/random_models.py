"""Pipelines of SDXL's and Flux's shapes, with random weights: they time like real ones.

Sizes are those of the public models' configs; `tiny` ones have a few thousand weights, so that what
uses them can be tried anywhere. Weights repeat one block of noise, scaled by fan-in: drawing
billions one by one would take minutes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import EulerDiscreteScheduler, FlowMatchEulerDiscreteScheduler
from torch import nn
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

_BLOCK = 1 << 20
_MARKS = {"bos_token_id": 512, "eos_token_id": 513, "pad_token_id": 513}
"""Of the byte-level tokenizer; real vocabularies have the same number of rows and more words."""


def sdxl(folder: Path, *, dtype: torch.dtype, tiny: bool) -> Path:
    """SDXL base: two CLIP encoders, a UNet of 2.6 billion weights, a VAE."""
    unet: dict[str, Any] = {
        "sample_size": 128,
        "block_out_channels": (320, 640, 1280),
        "transformer_layers_per_block": (1, 2, 10),
        "attention_head_dim": (5, 10, 20),
        "cross_attention_dim": 2048,
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    }
    if tiny:
        unet |= {
            "sample_size": 32,
            "block_out_channels": (16, 32, 32),
            "norm_num_groups": 8,
            "transformer_layers_per_block": 1,
            "attention_head_dim": (2, 2, 2),
            "cross_attention_dim": 32,
            "addition_time_embed_dim": 8,
            "projection_class_embeddings_input_dim": 6 * 8 + 16,
        }
    parts = {
        "unet": _made(
            lambda: diffusers.UNet2DConditionModel(
                use_linear_projection=True, addition_embed_type="text_time", **unet
            ),
            dtype,
        ),
        "text_encoder": _made(lambda: CLIPTextModel(_clip(tiny, 768, 12)), dtype),
        "text_encoder_2": _made(lambda: CLIPTextModelWithProjection(_clip(tiny, 1280, 32)), dtype),
        "vae": _made(lambda: _vae(tiny, channels=4, scale=0.13025), dtype),
    }
    scheduler = EulerDiscreteScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        timestep_spacing="leading",
        steps_offset=1,
    )
    pipeline = diffusers.StableDiffusionXLPipeline(
        tokenizer=_bytes(),
        tokenizer_2=_bytes(),
        scheduler=scheduler,
        add_watermarker=False,
        **parts,
    )
    pipeline.save_pretrained(folder)
    return folder


def flux(folder: Path, *, dtype: torch.dtype, tiny: bool) -> Path:
    """Flux.1 dev: CLIP, T5-XXL, a transformer of 12 billion weights, a VAE of 16 channels."""
    net: dict[str, Any] = {"guidance_embeds": True}
    t5: dict[str, Any] = {
        "d_model": 4096,
        "d_kv": 64,
        "d_ff": 10_240,
        "num_layers": 24,
        "num_heads": 64,
    }
    if tiny:
        net |= {
            "in_channels": 64,
            "num_layers": 2,
            "num_single_layers": 2,
            "attention_head_dim": 16,
            "num_attention_heads": 2,
            "joint_attention_dim": 32,
            "pooled_projection_dim": 16,
            "axes_dims_rope": (4, 4, 8),
        }
        t5 = {"d_model": 32, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2}
    letters = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    letters += [(letter, -3.0) for letter in "abcdefghijklmnopqrstuvwxyz"]
    pipeline = diffusers.FluxPipeline(
        tokenizer=_bytes(),
        tokenizer_2=T5Tokenizer(vocab=letters, extra_ids=0),
        text_encoder=_made(lambda: CLIPTextModel(_clip(tiny, 768, 12)), dtype),
        text_encoder_2=_made(
            lambda: T5EncoderModel(
                T5Config(vocab_size=32_128, feed_forward_proj="gated-gelu", is_decoder=False, **t5)
            ),
            dtype,
        ),
        transformer=_made(lambda: diffusers.FluxTransformer2DModel(**net), dtype),
        vae=_made(lambda: _vae(tiny, channels=16, scale=0.3611, shift=0.1159), dtype),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
    )
    pipeline.save_pretrained(folder)
    return folder


def _clip(tiny: bool, width: int, layers: int) -> CLIPTextConfig:  # noqa: FBT001
    if tiny:
        width, layers = 16, 2
    return CLIPTextConfig(
        vocab_size=514 if tiny else 49_408,
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=max(2, width // 64),
        projection_dim=width,
        **_MARKS,
    )


def _vae(
    tiny: bool,  # noqa: FBT001
    *,
    channels: int,
    scale: float,
    shift: float | None = None,
) -> diffusers.AutoencoderKL:
    return diffusers.AutoencoderKL(
        block_out_channels=(8, 8, 8, 8) if tiny else (128, 256, 512, 512),
        layers_per_block=1 if tiny else 2,
        norm_num_groups=4 if tiny else 32,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=channels,
        sample_size=128 if tiny else 1024,
        scaling_factor=scale,
        shift_factor=shift,
        # As in the repaired VAEs that are served in half precision.
        force_upcast=False,
    )


def _bytes() -> CLIPTokenizer:
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [value for value in range(256) if value not in shown]
    symbols = [
        chr(value) if value in shown else chr(256 + hidden.index(value)) for value in range(256)
    ]
    words = [*symbols, *(symbol + "</w>" for symbol in symbols), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: index for index, word in enumerate(words)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77)


def _made(build: Callable[[], nn.Module], dtype: torch.dtype) -> Any:
    """A module with its weights filled, in its dtype from the start: it may fill the memory."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with _no_draws():
            module = build()
    finally:
        torch.set_default_dtype(before)
    noise = torch.randn(_BLOCK, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for index, parameter in enumerate(module.parameters()):
            # Shifted, or tensors of one shape would be of the same bits, and held once.
            _fill(parameter, noise.roll(index * 9973))
    return module.to(dtype).eval()


def _fill(parameter: torch.Tensor, noise: torch.Tensor) -> None:
    if parameter.dim() < 2:
        return
    scale = 1 / math.sqrt(parameter[0].numel())
    flat, block = parameter.view(-1), (noise * scale).to(parameter.dtype)
    for begin in range(0, flat.numel(), _BLOCK):
        piece = flat[begin : begin + _BLOCK]
        piece.copy_(block[: piece.numel()])


class _no_draws:  # noqa: N801 - a context, named as one reads it
    """Leave weights of two dimensions and more as the allocator gave them, to be filled after."""

    _NAMES = ("kaiming_uniform_", "xavier_uniform_", "trunc_normal_", "normal_", "uniform_")

    def __enter__(self) -> None:
        self._kept = {name: getattr(nn.init, name) for name in self._NAMES}
        for name in self._NAMES:
            setattr(
                nn.init,
                name,
                lambda tensor, *_, **__: tensor.data.zero_() if tensor.dim() < 2 else tensor,
            )

    def __exit__(self, *_: object) -> None:
        for name, function in self._kept.items():
            setattr(nn.init, name, function)
