"""Whether a picture holds the shapes that its caption asks for; exact, and fast on any CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image, Resampling

from argus_core.errors import InvalidRequest
from argus_core.quality import Comparison
from argus_shapes.captions import CaptionError, Scene, parse
from argus_shapes.detector import Verdict, detect, judge
from argus_shapes.painter import PIXELS


@dataclass(frozen=True, kw_only=True)
class ShapesMetric:
    """Reads pictures back; those of another size are brought to the painter's first."""

    value: Callable[[Verdict], float]
    """0 to 1."""
    comparison = Comparison.DIFFERENCE
    scale = 1.0
    needs_reference = False

    def score(
        self, prompts: Sequence[str], images: Sequence[Image], references: Sequence[Image]
    ) -> list[float]:
        """See `Metric`; `prompt` is refused where it is no caption of the language."""
        del references
        scenes = [_scene(prompt) for prompt in prompts]
        return [
            self.value(judge(scene, detect(_pixels(image))))
            for scene, image in zip(scenes, images, strict=True)
        ]


def exact(device: str) -> ShapesMetric:
    """1 where the picture is just as asked, else 0."""
    del device
    return ShapesMetric(value=lambda verdict: float(verdict.exact))


def share(device: str) -> ShapesMetric:
    """The share of what was asked that is there, as `argus_shapes.detector` counts it."""
    del device
    return ShapesMetric(value=lambda verdict: verdict.share)


def _scene(prompt: str) -> Scene:
    try:
        return parse(prompt)
    except CaptionError as error:
        raise InvalidRequest.one("prompt", f"is not of the shapes' language: {error}") from error


def _pixels(image: Image) -> NDArray[np.float32]:
    if image.size != (PIXELS, PIXELS):
        image = image.resize((PIXELS, PIXELS), Resampling.BOX)
    return np.asarray(image, np.float32) / np.float32(255)
