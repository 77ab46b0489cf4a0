"""Qwen-Image: Qwen2.5-VL as text encoder, a very large transformer, a video VAE of one frame."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any, ClassVar

import torch
from diffusers import (
    AutoencoderKLQwenImage,
    FlowMatchEulerDiscreteScheduler,
    QwenImagePipeline,
    QwenImageTransformer2DModel,
)
from PIL.Image import Image
from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2Tokenizer

from argus_worker import components
from argus_worker.families.base import FlowFamily, pack, unpack
from argus_worker.families.facts import Facts
from argus_worker.families.protocol import Conditioning, Rows


class QwenImageFamily(FlowFamily):
    """Drives the components of a `QwenImagePipeline`; our guidance is its `true_cfg_scale`."""

    PIPELINE = QwenImagePipeline
    TOKENIZERS: ClassVar = {"tokenizer": Qwen2Tokenizer}
    MODULES: ClassVar = {
        "text_encoder": Qwen2_5_VLForConditionalGeneration,
        "transformer": QwenImageTransformer2DModel,
        "vae": AutoencoderKLQwenImage,
    }
    MAX_TOKENS = 512
    PACKED = True
    FACTS = Facts(
        side_multiple=16,
        min_side=256,
        max_side=2048,
        max_pixels=1664 * 1664,
        latent_space="qwen-image-vae",
        dtypes=("float32", "bfloat16"),
        step_caches=("taylorseer",),
    )

    def tokens(self, prompt: str) -> int:
        """Of the prompt and what stands behind it in the encoder's form of a talk."""
        (counter,) = self._counters
        said = self._pipeline.prompt_template_encode.format(prompt)
        before: int = self._pipeline.prompt_template_encode_start_idx
        return len(counter(said, truncation=False).input_ids) - before

    def encode(
        self,
        prompt: str,
        negative: str,
        *,
        scale: float,
        width: int,  # noqa: ARG002 - the model is not told
        height: int,  # noqa: ARG002
    ) -> Conditioning:
        """States of the words, a mask of ones; a blank stands for no negative prompt."""
        guided = scale > 1.0
        return Conditioning(
            positive=self._rows(prompt),
            negative=self._rows(negative or " ") if guided else None,
        )

    def guide(
        self, unconditional: torch.Tensor, conditional: torch.Tensor, scale: float
    ) -> torch.Tensor:
        """Classifier-free, with every token's length kept at that of the conditional prediction."""
        guided = pack(super().guide(unconditional, conditional, scale))
        lengths = torch.norm(pack(conditional), dim=-1, keepdim=True)
        kept = guided * (lengths / torch.norm(guided, dim=-1, keepdim=True))
        return unpack(kept, conditional)

    def predict(self, latents: torch.Tensor, timesteps: torch.Tensor, rows: Rows) -> torch.Tensor:
        """Flow velocity."""
        _, _, height, width = latents.shape
        prediction = self._net(
            hidden_states=pack(latents),
            timestep=timesteps.to(latents.dtype) / 1000,
            encoder_hidden_states=rows["states"],
            # A prompt that stands alone has nothing to hide; without a mask attention is quicker.
            encoder_hidden_states_mask=rows["mask"] if len(latents) > 1 else None,
            img_shapes=[[(1, height // 2, width // 2)]] * len(latents),
            return_dict=False,
        )[0]
        return unpack(prediction, latents)

    def decode(self, latent: torch.Tensor) -> Image:
        """Through the VAE, as the one frame of a video."""
        config = self._vae.config
        latent = latent.to(self._vae.dtype).unsqueeze(2)
        mean, deviation = (
            torch.tensor(values).view(1, -1, 1, 1, 1).to(latent)
            for values in (config.latents_mean, config.latents_std)
        )
        frames = self._through_vae(latent * deviation + mean)
        return self._picture(frames[:, :, 0])

    def _rows(self, prompt: str) -> Rows:
        states, _ = self._pipeline.encode_prompt(
            prompt, self._net.device, max_sequence_length=self.MAX_TOKENS
        )
        mask = torch.ones(states.shape[:2], dtype=torch.long, device=states.device)
        return {"states": states, "mask": mask}


class QwenImageLightningFamily(QwenImageFamily):
    """Qwen-Image with a Lightning LoRA: 4 or 8 steps, each number with a LoRA of its own."""

    FACTS = dataclasses.replace(
        QwenImageFamily.FACTS, max_steps=8, guided=False, resumable=False, step_caches=()
    )

    @classmethod
    def load_scheduler(cls, folder: Path) -> Any:
        """The shift that the LoRAs were distilled with: 3 at every size, nothing stretched."""
        components.require(folder, "scheduler")
        config = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
        shift = math.log(3)
        return FlowMatchEulerDiscreteScheduler.from_config(
            config,
            base_shift=shift,
            max_shift=shift,
            shift=1.0,
            shift_terminal=None,
            use_dynamic_shifting=True,
        )
