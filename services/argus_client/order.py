"""What a client asks for, in plain Python."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from argus_core.errors import InvalidRequest
from argus_protos.v1 import cluster_pb2, images_pb2
from argus_rpc.convert import duration

Priority = Literal["low", "normal", "high"]
"""`high` goes before all others, `low` waits for all others."""
Format = Literal["png", "webp", "jpeg"]

_PRIORITIES = {
    "low": images_pb2.PRIORITY_LOW,
    "normal": images_pb2.PRIORITY_NORMAL,
    "high": images_pb2.PRIORITY_HIGH,
}
_FORMATS = {
    "png": cluster_pb2.IMAGE_FORMAT_PNG,
    "webp": cluster_pb2.IMAGE_FORMAT_WEBP,
    "jpeg": cluster_pb2.IMAGE_FORMAT_JPEG,
}


@dataclass(frozen=True, kw_only=True)
class Order:
    """A request for images; what is None or empty is left to the cluster."""

    prompt: str
    negative_prompt: str = ""
    size: tuple[int, int] | None = None
    """Width and height in pixels."""
    count: int = 1
    """Images, 1 to 10; image i uses seed + i."""
    seed: int | None = None
    deadline: float | None = None
    """Seconds from the call until the last image, tries and waits included."""
    minimum_quality: float | None = None
    """Predicted quality, 0 to 1, below which nothing is served."""
    level: str = ""
    """The only level that may serve it."""
    preview_every_steps: int = 0
    """Send a preview with every n-th step; 0 for none."""
    progress: bool = True
    """Hear of steps that no preview comes with; of no effect in `draw` without `on_progress`."""
    image_format: Format = "png"
    priority: Priority = "normal"
    explain: bool = False
    """Have every level considered returned with the decision."""

    def __post_init__(self) -> None:
        """Refuse what the wire has no word for; the rest is the server's to judge.

        Raises:
            InvalidRequest: naming the field.
        """
        if self.priority not in _PRIORITIES:
            raise InvalidRequest.one("priority", f"must be one of {', '.join(_PRIORITIES)}")
        if self.image_format not in _FORMATS:
            raise InvalidRequest.one("image_format", f"must be one of {', '.join(_FORMATS)}")

    def message(
        self, *, remaining: float = math.inf, progress: bool = True
    ) -> images_pb2.GenerateRequest:
        """As the wire has it, with `remaining` seconds of the deadline; and progress if both ask.

        Raises:
            InvalidRequest: a number does not fit its field.
        """
        try:
            request = images_pb2.GenerateRequest(
                prompt=self.prompt,
                negative_prompt=self.negative_prompt,
                count=self.count,
                seed=self.seed,
                minimum_quality=self.minimum_quality,
                level=self.level,
                priority=_PRIORITIES[self.priority],
                preview_every_steps=self.preview_every_steps,
                format=_FORMATS[self.image_format],
                explain=self.explain,
                without_progress=not (self.progress and progress),
            )
            if self.size is not None:
                request.size.width, request.size.height = self.size
        except (ValueError, TypeError) as error:
            raise InvalidRequest.one("order", str(error)) from error
        if self.deadline is not None:
            request.deadline.CopyFrom(duration(min(self.deadline, remaining)))
        return request
