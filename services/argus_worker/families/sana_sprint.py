"""Sana-Sprint: Sana distilled to 1 to 4 steps, each of which draws fresh noise."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch
from diffusers import SanaSprintPipeline, SCMScheduler
from PIL.Image import Image

from argus_worker import components
from argus_worker.families.protocol import Conditioning, Rows
from argus_worker.families.sana import SanaFamily


class SanaSprintFamily(SanaFamily):
    """Drives the components of a `SanaSprintPipeline`; guidance is a number, as for Flux."""

    PIPELINE = SanaSprintPipeline
    FACTS = dataclasses.replace(SanaFamily.FACTS, max_steps=4, resumable=False, ships="")

    @classmethod
    def load_scheduler(cls, folder: Path) -> Any:
        """Sprint's own, whose schedule has one entry more than it has steps."""
        components.require(folder, "scheduler")
        return SCMScheduler.from_pretrained(folder / "scheduler", local_files_only=True)

    def set_timesteps(self, scheduler: Any, steps: int, *, width: int, height: int) -> None:  # noqa: ARG002
        """Angles from the pipeline's greatest down; two steps have a middle of their own."""
        scheduler.set_timesteps(steps, intermediate_timesteps=1.3 if steps == 2 else None)

    def noise_scale(self, scheduler: Any) -> float:
        """Of the data, which noise is mixed with."""
        scale: float = scheduler.config.sigma_data
        return scale

    def encode(
        self,
        prompt: str,
        negative: str,  # noqa: ARG002 - there is no second row
        *,
        scale: float,
        width: int,  # noqa: ARG002 - the model is not told
        height: int,  # noqa: ARG002
    ) -> Conditioning:
        """States, mask, and the guidance scale."""
        states, mask = self._pipeline.encode_prompt(
            prompt, device=self._net.device, **self._encoding()
        )
        guidance = torch.tensor([scale], dtype=torch.float32, device=states.device)
        guidance = guidance.to(states.dtype) * self._net.config.guidance_embeds_scale
        return Conditioning(
            positive={"states": states, "mask": mask, "guidance": guidance}, negative=None
        )

    def predict(self, latents: torch.Tensor, timesteps: torch.Tensor, rows: Rows) -> torch.Tensor:
        """What the angle's schedule wants of a network that was taught flow matching."""
        net, sigma = self._net, self.scheduler.config.sigma_data
        share = torch.sin(timesteps) / (torch.cos(timesteps) + torch.sin(timesteps))
        plane = share.view(-1, 1, 1, 1)
        length = torch.sqrt(plane**2 + (1 - plane) ** 2)
        seen = latents / sigma * length
        velocity = net(
            seen.to(net.dtype),
            encoder_hidden_states=rows["states"].to(net.dtype),
            encoder_attention_mask=rows["mask"],
            guidance=rows["guidance"],
            timestep=share,
            return_dict=False,
        )[0]
        turned = (1 - 2 * plane) * seen + (1 - 2 * plane + 2 * plane**2) * velocity
        prediction: torch.Tensor = (turned / length).float() * sigma
        return prediction

    def decode(self, latent: torch.Tensor) -> Image:
        """Through the VAE, at the data's own scale."""
        return super().decode(latent / self.scheduler.config.sigma_data)
