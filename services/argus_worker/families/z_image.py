"""Z-Image-Turbo: Qwen3 as text encoder, one stream of text and picture, Flux.1's kind of VAE."""

from __future__ import annotations

from typing import ClassVar

import torch
from diffusers import AutoencoderKL, ZImagePipeline, ZImageTransformer2DModel
from transformers import Qwen2Tokenizer, Qwen3Model

from argus_worker.families.base import FlowFamily, talked
from argus_worker.families.facts import Facts
from argus_worker.families.protocol import Conditioning, Rows


class ZImageFamily(FlowFamily):
    """Drives the components of a `ZImagePipeline`.

    The pipeline counts guidance from 0 for none; here it is from 1 as everywhere: its scale plus 1.
    """

    PIPELINE = ZImagePipeline
    TOKENIZERS: ClassVar = {"tokenizer": Qwen2Tokenizer}
    MODULES: ClassVar = {
        "text_encoder": Qwen3Model,
        "transformer": ZImageTransformer2DModel,
        "vae": AutoencoderKL,
    }
    MAX_TOKENS = 512
    WIDE = True
    FACTS = Facts(
        side_multiple=16,
        min_side=256,
        max_side=2048,
        max_pixels=2 * 1024 * 1024,
        latent_space="flux1-vae",
        # Distilled to 8 forwards, which its authors ask for as 9 steps.
        max_steps=16,
        resumable=False,
        dtypes=("float32", "bfloat16"),
    )

    def tokens(self, prompt: str) -> int:
        """Of the prompt in the encoder's form of a talk."""
        (counter,) = self._counters
        return talked(counter, prompt, thinking=True)

    def encode(
        self,
        prompt: str,
        negative: str,
        *,
        scale: float,
        width: int,  # noqa: ARG002 - the model is not told
        height: int,  # noqa: ARG002
    ) -> Conditioning:
        """States of the words alone, and a mask of ones."""
        guided = scale > 1.0
        plus, minus = self._pipeline.encode_prompt(
            prompt, self._net.device, guided, negative_prompt=negative
        )
        return Conditioning(positive=_rows(plus[0]), negative=_rows(minus[0]) if guided else None)

    def latent_shape(self, width: int, height: int) -> tuple[int, ...]:
        """`[1, 16, height / 8, width / 8]`."""
        scale = self._pipeline.vae_scale_factor
        return (1, self._net.in_channels, height // scale, width // scale)

    def predict(self, latents: torch.Tensor, timesteps: torch.Tensor, rows: Rows) -> torch.Tensor:
        """Flow velocity; the model counts time the other way round, and its velocity too."""
        seen = latents.to(self._net.dtype).unsqueeze(2)
        lengths = rows["mask"].sum(dim=1).tolist()
        words = [states[:length] for states, length in zip(rows["states"], lengths, strict=True)]
        predicted = self._net(
            list(seen.unbind(0)), (1000 - timesteps) / 1000, words, return_dict=False
        )[0]
        return -torch.stack([one.float() for one in predicted]).squeeze(2)


def _rows(states: torch.Tensor) -> Rows:
    # The mask stays on the host: the lengths are wanted there.
    return {"states": states[None], "mask": torch.ones(1, len(states), dtype=torch.long)}
