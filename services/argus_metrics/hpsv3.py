"""HPSv3 (Ma et al., 2025): what people prefer, by a vision-language model of 7 billion weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL.Image import Image

from argus_core.quality import Comparison
from argus_metrics.missing import model_missing, package_missing


@dataclass(kw_only=True)
class HpsMetric:
    """The package's own inferencer."""

    device: str
    comparison: Comparison = Comparison.WIN
    scale: float = 1.0
    needs_reference: bool = False
    _inferencer: Any = field(default=None, init=False, repr=False)

    def score(
        self, prompts: Sequence[str], images: Sequence[Image], references: Sequence[Image]
    ) -> list[float]:
        """See `Metric`; the means of the distributions that the model tells."""
        del references
        if self._inferencer is None:
            self._inferencer = self._load()
        # By name: releases differ in the order.
        rewards = self._inferencer.reward(prompts=list(prompts), image_paths=list(images))
        return [float(reward[0]) for reward in rewards]

    def _load(self) -> Any:
        try:
            from hpsv3 import HPSv3RewardInferencer  # noqa: PLC0415 - not everyone has it
        except ImportError as error:
            raise package_missing("hpsv3", error) from error
        try:
            return HPSv3RewardInferencer(device=self.device)
        except (OSError, ValueError) as error:
            raise model_missing("MizzenAI/HPSv3", error) from error


def hpsv3(device: str) -> HpsMetric:
    """See `HpsMetric`."""
    return HpsMetric(device=device)
