"""What a client gets: events of a request, the last of each image a picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from argus_protos.v1 import cluster_pb2, images_pb2
from argus_rpc import tracing
from argus_rpc.convert import seconds

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, kw_only=True)
class Option:
    """A level that was weighed."""

    level: str
    predicted_quality: float
    """0 to 1."""
    expected_completion: float
    """Seconds from the request's arrival."""
    rejected: str
    """Why it was not taken; empty for the one that was."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Why an image is drawn at its level."""

    level: str
    variant: str
    reason: str
    """In a sentence."""
    predicted_quality: float
    """Of this prompt at this level, 0 to 1."""
    price: float
    """Of a second of the worker's time, in quality."""
    expected_completion: float
    """Seconds from the request's arrival."""
    start_similarity: float | None
    """Cosine of this prompt and the one whose latent it begins from; None where from noise."""
    options: tuple[Option, ...]
    """Levels weighed, best first; empty unless the order asked to explain."""

    @classmethod
    def of(cls, said: images_pb2.Decision) -> Decision:
        """From the wire."""
        similar = said.HasField("start_similarity")
        return cls(
            level=said.level,
            variant=said.variant,
            reason=said.reason,
            predicted_quality=said.predicted_quality,
            price=said.price,
            expected_completion=seconds(said.expected_completion),
            start_similarity=said.start_similarity if similar else None,
            options=tuple(
                Option(
                    level=option.level,
                    predicted_quality=option.predicted_quality,
                    expected_completion=seconds(option.expected_completion),
                    rejected=option.rejected,
                )
                for option in said.options
            ),
        )


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Where the time went, in seconds, as the router tells it."""

    total: float
    """From the request's arrival at the router until the image was there."""
    predict: float
    queue: float
    """Waiting for a worker."""
    encode: float
    denoise: float
    decode: float

    @property
    def drawing(self) -> float:
        """Of a worker's time."""
        return self.encode + self.denoise + self.decode

    @classmethod
    def of(cls, said: images_pb2.Timing) -> Timing:
        """From the wire."""
        return cls(
            total=seconds(said.total),
            predict=seconds(said.predict),
            queue=seconds(said.queue),
            encode=seconds(said.encode),
            denoise=seconds(said.denoise),
            decode=seconds(said.decode),
        )


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """An image will be drawn; before anything else about it."""

    index: int
    request_id: str
    """Names the request in logs and traces."""
    decision: Decision
    """May change while it waits; the picture has the last word."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """A denoising step is done."""

    index: int
    step: int
    """Done, skipped ones included."""
    steps: int
    """In all."""
    preview: bytes | None
    """An encoded picture; None unless asked for."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An image, and what was done for it."""

    index: int
    """Which of the order's images, from 0."""
    data: bytes
    """The encoded file."""
    image_format: str
    """`png`, `webp` or `jpeg`."""
    size: tuple[int, int]
    """Width and height in pixels."""
    decision: Decision
    """Level and reason, the last word on them."""
    timing: Timing
    seed: int
    worker: str
    attempts: int
    """Times that it was begun: 1 unless a worker was lost."""
    steps: int
    skipped_steps: int

    @property
    def level(self) -> str:
        """At which it was drawn."""
        return self.decision.level

    @classmethod
    def of(cls, response: images_pb2.GenerateResponse) -> Picture:
        """From the event that carries the result."""
        result = response.result
        name = cluster_pb2.ImageFormat.Name(result.image.format)
        return cls(
            index=response.index,
            data=result.image.data,
            image_format=name.removeprefix("IMAGE_FORMAT_").lower(),
            size=(result.image.size.width, result.image.size.height),
            decision=Decision.of(result.decision),
            timing=Timing.of(result.timing),
            seed=result.seed,
            worker=result.worker,
            attempts=result.attempts,
            steps=result.schedule.steps,
            skipped_steps=result.schedule.skipped_steps,
        )

    def image(self) -> Image:
        """Decoded by Pillow, in RGB.

        Raises:
            ImportError: there is no Pillow; `data` needs none.
        """
        return decoded(self.data)

    def save(self, path: Path | str) -> None:
        """Write the encoded file as it is, whatever the name ends in."""
        Path(path).write_bytes(self.data)


Event = Accepted | Progress | Picture


class Collected:
    """The pictures among a request's events; the others are told to whoever wants to hear."""

    def __init__(
        self,
        on_accepted: Callable[[Accepted], None],
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self._on_accepted, self._on_progress = on_accepted, on_progress
        self._drawn: list[Picture] = []

    def hear(self, event: Event) -> None:
        """The next event."""
        if isinstance(event, Picture):
            self._drawn.append(event)
        elif isinstance(event, Progress):
            if self._on_progress is not None:
                self._on_progress(event)
        else:
            self._on_accepted(event)

    def pictures(self) -> list[Picture]:
        """In their order."""
        return sorted(self._drawn, key=lambda picture: picture.index)


def event_of(response: images_pb2.GenerateResponse) -> Event:
    """An event, from the wire."""
    if response.HasField("progress"):
        said = response.progress
        preview = said.preview.data if said.HasField("preview") else None
        return Progress(index=response.index, step=said.step, steps=said.steps, preview=preview)
    if response.HasField("result"):
        return Picture.of(response)
    accepted = response.accepted
    return Accepted(
        index=response.index,
        request_id=accepted.request_id,
        decision=Decision.of(accepted.decision),
    )


def decoded(data: bytes) -> Image:
    """An encoded picture, decoded by Pillow, in RGB."""
    import io  # noqa: PLC0415

    from PIL import Image  # noqa: PLC0415 - only those who look need Pillow

    return Image.open(io.BytesIO(data)).convert("RGB")


def noted(calling: tracing.Calling, event: Event) -> None:
    """Have a request's span tell what was decided for it, and by whom it was drawn."""
    if isinstance(event, Accepted):
        calling.note(request_id=event.request_id)
    elif isinstance(event, Picture):
        calling.note(level=event.level, worker=event.worker)
