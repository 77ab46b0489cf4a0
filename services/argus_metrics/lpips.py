"""LPIPS (Zhang et al., 2018), by its authors' package: how like another image an image looks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from PIL.Image import Image

from argus_core.errors import InvalidRequest
from argus_core.quality import Comparison
from argus_metrics.missing import model_missing, package_missing

LEAST_PIXELS = 32
"""Each way: what AlexNet's layers leave something of."""


def _load() -> Any:
    try:
        from lpips import LPIPS  # noqa: PLC0415 - not everyone has it

        return LPIPS(net="alex", verbose=False)
    except ImportError as error:
        raise package_missing("lpips", error) from error
    except OSError as error:
        raise model_missing("AlexNet's weights for LPIPS", error) from error


@dataclass(eq=False, kw_only=True)
class LpipsMetric:
    """1 less the distance by AlexNet: 1 for the same image, lower the less alike."""

    device: str
    load: Callable[[], Any] = _load
    """Makes the network."""
    comparison = Comparison.SIMILARITY
    scale = 1.0
    needs_reference = True
    _network: Any = field(default=None, init=False)

    def score(
        self, prompts: Sequence[str], images: Sequence[Image], references: Sequence[Image]
    ) -> list[float]:
        """See `Metric`; images must be of 32 pixels each way at least."""
        del prompts
        if any(min(image.size) < LEAST_PIXELS for image in images):
            raise InvalidRequest.one("images", f"lpips needs {LEAST_PIXELS} pixels each way")
        self._network = self._network or self.load().eval().to(self.device)
        with torch.inference_mode():
            return [
                1.0 - float(self._network(self._tensor(image), self._tensor(reference)))
                for image, reference in zip(images, references, strict=True)
            ]

    def _tensor(self, image: Image) -> torch.Tensor:
        """`[1, 3, height, width]`, -1 to 1."""
        pixels = torch.from_numpy(np.array(image, np.float32)).permute(2, 0, 1)[None]
        return (pixels / 127.5 - 1).to(self.device)


def lpips(device: str) -> LpipsMetric:
    """See `LpipsMetric`."""
    return LpipsMetric(device=device)
