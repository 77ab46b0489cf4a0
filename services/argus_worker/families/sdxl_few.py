"""SDXL distilled to few steps: Turbo and Lightning, SDXL's classes with other weights.

Neither is guided, and neither has steps to skip.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from diffusers import EulerDiscreteScheduler

from argus_worker import components
from argus_worker.families.sdxl import SdxlFamily


class SdxlTurboFamily(SdxlFamily):
    """SDXL-Turbo: 1 to 4 steps, made for 512 pixels a side."""

    FACTS = dataclasses.replace(
        SdxlFamily.FACTS,
        max_side=1024,
        max_pixels=2 * 512 * 512,
        max_steps=4,
        guided=False,
        resumable=False,
    )


class SdxlLightningFamily(SdxlFamily):
    """SDXL-Lightning: 2, 4 or 8 steps, each number with weights (or a LoRA) of its own."""

    FACTS = dataclasses.replace(SdxlFamily.FACTS, max_steps=8, guided=False, resumable=False)

    @classmethod
    def load_scheduler(cls, folder: Path) -> Any:
        """Euler, trailing: what its weights were distilled for, whatever the base's folder says."""
        components.require(folder, "scheduler")
        config = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
        return EulerDiscreteScheduler.from_config(config, timestep_spacing="trailing")
