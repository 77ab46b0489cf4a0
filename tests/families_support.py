"""A tiny pipeline of random weights for every family, from its real classes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import diffusers
import torch
from diffusers import (
    AutoencoderDC,
    AutoencoderKL,
    AutoencoderKLFlux2,
    AutoencoderKLQwenImage,
    DDIMScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
)
from transformers import (
    CLIPTextModel,
    CLIPTextModelWithProjection,
    Gemma2Config,
    Gemma2Model,
    GemmaTokenizer,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Tokenizer,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3Model,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

from argus_worker.families.base import unpack
from argus_worker.noise import generator as keyed
from engine_support import BETAS, _byte, _tokenizer, _vae, build_sdxl, clip_config

torch.set_num_threads(1)

EULER = EulerDiscreteScheduler(**BETAS, timestep_spacing="leading", steps_offset=1)
TRAILING = EulerDiscreteScheduler(**BETAS, timestep_spacing="trailing")
DDIM = DDIMScheduler(**BETAS, timestep_spacing="trailing", steps_offset=1, clip_sample=False)
FLOW = FlowMatchEulerDiscreteScheduler(shift=3.0)
SHIFTED = FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True)


LIGHTNING = FlowMatchEulerDiscreteScheduler(
    shift=1.0, base_shift=math.log(3), max_shift=math.log(3), use_dynamic_shifting=True
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A family, and how its pipeline is asked for what an order asks for."""

    family: str
    build: Callable[[], Any]
    steps: int = 4
    guidance: float = 3.0
    """1 where the family is not guided."""
    negative: str = "fog"
    side: int = 32
    """Pixels of the square image."""
    arguments: Callable[[float, str], Mapping[str, Any]] = field(
        default=lambda scale, negative: {"guidance_scale": scale, "negative_prompt": negative}
    )
    planes: Callable[[torch.Tensor], torch.Tensor] = field(default=lambda latents: latents)
    """The pipeline's latents as the engine keeps them."""
    resumes: bool = True
    lora: bool = True

    @property
    def id(self) -> str:
        """For the test's name."""
        return self.family


def _clip(kind):
    torch.manual_seed(1)
    return kind(clip_config()).eval()


LETTERS = "abcdefghijklmnopqrstuvwxyz"


def _t5_tokenizer():
    marks = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    return T5Tokenizer(vocab=[*marks, *((letter, -3.0) for letter in LETTERS)], extra_ids=0)


def _t5():
    torch.manual_seed(2)
    config = T5Config(
        vocab_size=32, d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=2, is_decoder=False
    )
    return T5EncoderModel(config).eval()


def _deep_vae(channels, halvings=3):
    torch.manual_seed(3)
    return AutoencoderKL(
        block_out_channels=(8,) * (halvings + 1),
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * (halvings + 1),
        up_block_types=("UpDecoderBlock2D",) * (halvings + 1),
        latent_channels=channels,
        sample_size=32,
        scaling_factor=0.5,
        shift_factor=0.1,
        use_quant_conv=False,
        use_post_quant_conv=False,
    ).eval()


def sd15():
    torch.manual_seed(0)
    unet = diffusers.UNet2DConditionModel(
        sample_size=16,
        layers_per_block=1,
        block_out_channels=(16, 32),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=16,
        attention_head_dim=8,
        norm_num_groups=8,
    )
    return diffusers.StableDiffusionPipeline(
        tokenizer=_tokenizer(),
        text_encoder=_clip(CLIPTextModel),
        unet=unet.eval(),
        vae=_vae().eval(),
        scheduler=DDIM,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def pixart(scheduler=DDIM):
    torch.manual_seed(0)
    transformer = diffusers.PixArtTransformer2DModel(
        sample_size=16,
        num_layers=2,
        patch_size=2,
        attention_head_dim=8,
        num_attention_heads=2,
        cross_attention_dim=16,
        caption_channels=32,
        in_channels=4,
        out_channels=8,
        use_additional_conditions=False,
    )
    return diffusers.PixArtSigmaPipeline(
        tokenizer=_t5_tokenizer(),
        text_encoder=_t5(),
        transformer=_shaken(transformer),
        vae=_vae().eval(),
        scheduler=scheduler,
    )


def sd3(scheduler=FLOW):
    torch.manual_seed(0)
    transformer = diffusers.SD3Transformer2DModel(
        sample_size=16,
        patch_size=2,
        in_channels=4,
        out_channels=4,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=32,
        caption_projection_dim=16,
        pooled_projection_dim=32,
        pos_embed_max_size=32,
    )
    return diffusers.StableDiffusion3Pipeline(
        tokenizer=_tokenizer(),
        tokenizer_2=_tokenizer(),
        tokenizer_3=_t5_tokenizer(),
        text_encoder=_clip(CLIPTextModelWithProjection),
        text_encoder_2=_clip(CLIPTextModelWithProjection),
        text_encoder_3=_t5(),
        transformer=_shaken(transformer),
        vae=_deep_vae(4, halvings=1),
        scheduler=scheduler,
    )


def flux(guidance_embeds=True, scheduler=SHIFTED):
    torch.manual_seed(0)
    transformer = diffusers.FluxTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=16,
        axes_dims_rope=(4, 4, 8),
        guidance_embeds=guidance_embeds,
    )
    return diffusers.FluxPipeline(
        tokenizer=_tokenizer(),
        tokenizer_2=_t5_tokenizer(),
        text_encoder=_clip(CLIPTextModel),
        text_encoder_2=_t5(),
        transformer=_shaken(transformer),
        vae=_deep_vae(4),
        scheduler=scheduler,
    )


def _gemma_tokenizer():
    marks = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "\u2581", *LETTERS]
    vocabulary = {mark: index for index, mark in enumerate(marks)}
    return GemmaTokenizer(vocab=vocabulary, merges=[], padding_side="right")


def _gemma():
    torch.manual_seed(2)
    config = Gemma2Config(
        vocab_size=64,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=8,
    )
    return Gemma2Model(config).eval()


def _dc_vae():
    torch.manual_seed(3)
    return AutoencoderDC(
        latent_channels=4,
        attention_head_dim=2,
        encoder_block_types=("ResBlock",) * 2,
        decoder_block_types=("ResBlock",) * 2,
        encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8),
        encoder_layers_per_block=(1, 1),
        decoder_layers_per_block=(1, 1),
        encoder_qkv_multiscales=((), ()),
        decoder_qkv_multiscales=((), ()),
        upsample_block_type="interpolate",
        downsample_block_type="stride_conv",
        scaling_factor=0.41407,
    ).eval()


def sana(kind=diffusers.SanaPipeline, scheduler=FLOW, embeds=False):
    torch.manual_seed(0)
    transformer = diffusers.SanaTransformer2DModel(
        in_channels=4,
        out_channels=4,
        num_layers=1,
        num_attention_heads=2,
        attention_head_dim=8,
        num_cross_attention_heads=2,
        cross_attention_head_dim=8,
        cross_attention_dim=16,
        caption_channels=16,
        sample_size=16,
        patch_size=1,
        guidance_embeds=embeds,
        qk_norm="rms_norm_across_heads" if embeds else None,
    )
    return kind(
        tokenizer=_gemma_tokenizer(),
        text_encoder=_gemma(),
        transformer=_shaken(transformer),
        vae=_dc_vae(),
        scheduler=scheduler,
    )


def sprint():
    """With noise keyed as the engine keys it: the pipeline draws it in sequence."""
    scheduler = diffusers.SCMScheduler(prediction_type="trigflow", sigma_data=0.5)
    pipeline = sana(diffusers.SanaSprintPipeline, scheduler, embeds=True)
    plain = pipeline.scheduler.step

    def step(prediction, timestep, latents, generator=None, **rest):
        done = int((pipeline.scheduler.timesteps == timestep).nonzero()[0]) + 1
        return plain(prediction, timestep, latents, generator=keyed(1, done), **rest)

    pipeline.scheduler.step = step
    return pipeline


CHAT = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    "{% if enable_thinking is false %}<think>\n\n</think>{% endif %}"
)


def _qwen_tokenizer():
    words = ["<|endoftext|>", *(_byte(value) for value in range(256))]
    vocabulary = {word: index for index, word in enumerate(words)}
    tokenizer = Qwen2Tokenizer(vocab=vocabulary, merges=[])
    tokenizer.chat_template = CHAT
    return tokenizer


def _qwen3(kind, layers):
    torch.manual_seed(2)
    config = Qwen3Config(
        vocab_size=264,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=8,
    )
    return kind(config).eval()


def z_image():
    torch.manual_seed(0)
    transformer = diffusers.ZImageTransformer2DModel(
        in_channels=4,
        dim=32,
        n_layers=1,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=16,
        axes_dims=[8, 4, 4],
        axes_lens=[1024, 64, 64],
    )
    return diffusers.ZImagePipeline(
        tokenizer=_qwen_tokenizer(),
        text_encoder=_qwen3(Qwen3Model, 2),
        transformer=_shaken(transformer),
        vae=_deep_vae(4),
        scheduler=FLOW,
    )


def qwen_image(scheduler=SHIFTED):
    torch.manual_seed(0)
    transformer = diffusers.QwenImageTransformer2DModel(
        patch_size=2,
        in_channels=16,
        out_channels=4,
        num_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=16,
        axes_dims_rope=(4, 4, 8),
    )
    vae = AutoencoderKLQwenImage(
        base_dim=4,
        z_dim=4,
        num_res_blocks=1,
        latents_mean=[0.1, -0.2, 0.3, 0.0],
        latents_std=[2.0, 1.5, 1.0, 0.5],
    )
    return diffusers.QwenImagePipeline(
        tokenizer=_qwen_tokenizer(),
        text_encoder=_qwen_vl(),
        transformer=_shaken(transformer),
        vae=vae.eval(),
        scheduler=scheduler,
    )


def _qwen_vl():
    torch.manual_seed(2)
    text = {
        "vocab_size": 264,
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "rope_parameters": {
            "mrope_section": [1, 1, 2],
            "rope_type": "default",
            "type": "default",
            "rope_theta": 10_000.0,
        },
    }
    vision = {
        "depth": 1,
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_heads": 2,
        "out_hidden_size": 16,
    }
    config = Qwen2_5_VLConfig(text_config=text, vision_config=vision)
    return Qwen2_5_VLForConditionalGeneration(config).eval()


def klein():
    torch.manual_seed(0)
    transformer = diffusers.Flux2Transformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=48,
        timestep_guidance_channels=16,
        axes_dims_rope=(4, 4, 4, 4),
        guidance_embeds=False,
    )
    vae = AutoencoderKLFlux2(
        block_out_channels=(8,) * 4,
        layers_per_block=1,
        norm_num_groups=4,
        latent_channels=4,
        sample_size=256,
    )
    return diffusers.Flux2KleinPipeline(
        tokenizer=_qwen_tokenizer(),
        text_encoder=_qwen3(Qwen3ForCausalLM, 28),
        transformer=_shaken(transformer),
        vae=vae.eval(),
        scheduler=SHIFTED,
        is_distilled=True,
    )


def _shaken(module):
    """Weights that begin as zeros would hide what is wired wrongly."""
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for parameter in module.parameters():
            if not parameter.any():
                parameter.normal_(std=0.02, generator=generator)
    return module.eval()


def _quiet(build, *args):
    def built():
        pipeline = build(*args)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    return built


def _unpacked(side, channels):
    def planes(latents):
        return unpack(latents, torch.empty(len(latents), channels, side, side))

    return planes


def _plain(scale, _negative):
    return {"guidance_scale": scale}


CASES = [
    Case(family="sd15", build=_quiet(sd15)),
    Case(family="sdxl", build=_quiet(build_sdxl, EULER)),
    Case(
        family="sdxl-turbo",
        build=_quiet(build_sdxl, TRAILING),
        guidance=1.0,
        resumes=False,
    ),
    Case(
        family="sdxl-lightning",
        build=_quiet(build_sdxl, TRAILING),
        guidance=1.0,
        resumes=False,
    ),
    Case(
        family="pixart",
        build=_quiet(pixart),
        arguments=lambda scale, negative: {
            "guidance_scale": scale,
            "negative_prompt": negative,
            "use_resolution_binning": False,
            "clean_caption": False,
        },
        lora=False,
    ),
    Case(family="sd3", build=_quiet(sd3)),
    Case(
        family="flux",
        build=_quiet(flux),
        arguments=_plain,
        planes=_unpacked(32, 4),
        side=256,
    ),
    Case(
        family="flux-schnell",
        build=_quiet(flux, False, FLOW),
        arguments=lambda _scale, _negative: {"max_sequence_length": 256},
        guidance=1.0,
        planes=_unpacked(32, 4),
        side=256,
        resumes=False,
    ),
    Case(
        family="sana",
        build=_quiet(sana),
        arguments=lambda scale, negative: {
            "guidance_scale": scale,
            "negative_prompt": negative,
            "use_resolution_binning": False,
        },
    ),
    Case(
        family="sana-sprint",
        build=_quiet(sprint),
        steps=2,
        arguments=lambda scale, _negative: {
            "guidance_scale": scale,
            "use_resolution_binning": False,
        },
        resumes=False,
    ),
    Case(
        family="z-image",
        build=_quiet(z_image),
        arguments=lambda scale, negative: {
            "guidance_scale": scale - 1,
            "negative_prompt": negative,
        },
        side=256,
        resumes=False,
    ),
    Case(
        family="qwen-image",
        build=_quiet(qwen_image),
        arguments=lambda scale, negative: {
            "true_cfg_scale": scale,
            "negative_prompt": negative,
        },
        planes=_unpacked(32, 4),
        side=256,
    ),
    Case(
        family="qwen-image-lightning",
        build=_quiet(qwen_image, LIGHTNING),
        guidance=1.0,
        arguments=lambda scale, negative: {
            "true_cfg_scale": scale,
            "negative_prompt": negative,
        },
        planes=_unpacked(32, 4),
        side=256,
        resumes=False,
    ),
    Case(
        family="flux2-klein",
        build=_quiet(klein),
        guidance=1.0,
        arguments=lambda _scale, _negative: {},
        planes=lambda latents: latents.transpose(1, 2).unflatten(2, (16, 16)),
        side=256,
        resumes=False,
    ),
]

DISTINCT = [
    case
    for case in CASES
    if not case.family.endswith(("-turbo", "-lightning", "-schnell", "-sprint"))
]
"""One of each class of denoisers: what the others do otherwise is in schedules and bounds."""
