"""What a client asks for and gets, in plain Python."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from argus_protos.v1 import cluster_pb2, images_pb2
from argus_rpc.convert import duration, seconds

if TYPE_CHECKING:
    from PIL.Image import Image


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
    image_format: cluster_pb2.ImageFormat.ValueType = cluster_pb2.IMAGE_FORMAT_PNG
    priority: images_pb2.Priority.ValueType = images_pb2.PRIORITY_NORMAL
    explain: bool = False
    """Have every level considered returned with the decision."""

    def message(self, *, remaining: float = math.inf) -> images_pb2.GenerateRequest:
        """As the wire has it, with `remaining` seconds of the deadline."""
        request = images_pb2.GenerateRequest(
            prompt=self.prompt,
            negative_prompt=self.negative_prompt,
            count=self.count,
            seed=self.seed,
            minimum_quality=self.minimum_quality,
            level=self.level,
            priority=self.priority,
            preview_every_steps=self.preview_every_steps,
            format=self.image_format,
            explain=self.explain,
        )
        if self.size is not None:
            request.size.width, request.size.height = self.size
        if self.deadline is not None:
            request.deadline.CopyFrom(duration(min(self.deadline, remaining)))
        return request


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """An image, and what was done for it."""

    index: int
    """Which of the request's images, from 0."""
    data: bytes
    """The encoded file."""
    decision: images_pb2.Decision
    """Level and reason, the last word on them."""
    seed: int
    worker: str
    attempts: int
    """Times that it was begun: 1 unless a worker was lost."""
    steps: int
    total: float
    """Seconds from the request's arrival at the router until the image was there."""
    queue: float
    """Seconds waiting for a worker."""
    drawing: float
    """Seconds of a worker's time: encoding the prompt, denoising, decoding."""

    @classmethod
    def of(cls, response: images_pb2.GenerateResponse) -> Drawn:
        """From the event that carries the result."""
        result, timing = response.result, response.result.timing
        return cls(
            index=response.index,
            data=result.image.data,
            decision=result.decision,
            seed=result.seed,
            worker=result.worker,
            attempts=result.attempts,
            steps=result.schedule.steps,
            total=seconds(timing.total),
            queue=seconds(timing.queue),
            drawing=sum(seconds(part) for part in (timing.encode, timing.denoise, timing.decode)),
        )

    def image(self) -> Image:
        """Decoded by Pillow, in RGB."""
        import io  # noqa: PLC0415

        from PIL import Image  # noqa: PLC0415 - only those who look need Pillow

        return Image.open(io.BytesIO(self.data)).convert("RGB")
