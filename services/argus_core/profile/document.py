"""The ArgusProfile document, version 1: what a ladder's levels take, and how good they draw.

Field names are camelCase in documents and snake_case here. Unknown fields are refused, and every
error names the field's path. Scores are a metric's own; `argus_core.profile.figures` makes
qualities of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

from argus_core import checked
from argus_core.errors import InvalidRequest
from argus_core.quality import Comparison
from argus_core.spec import Level, MetricName
from argus_core.spec_engine import StepCacheText
from argus_core.spec_model import Name, Seconds

Deviation = Annotated[float, Field(ge=0, le=86_400)]
Samples = Annotated[int, Field(ge=1)]
Bytes = Annotated[int, Field(ge=0)]
Prompt = Annotated[str, Field(min_length=1, max_length=8192)]
Scores = Annotated[tuple[FiniteFloat, ...], Field(min_length=1)]
PixelSize = Annotated[str, StringConstraints(pattern=r"^[1-9]\d{0,3}x[1-9]\d{0,3}$")]
"""Width and height, such as `48x48`."""
Batch = Annotated[int, Field(ge=1, le=64)]


class _Model(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True
    )


class ProfiledLevel(_Model):
    """A level as it was measured; the cluster document says what its fields mean."""

    name: Name
    variant: Name
    steps: Annotated[int, Field(ge=1, le=1000)]
    skipped_steps: Annotated[int, Field(ge=0, le=999)] = 0
    guidance_scale: Annotated[float, Field(ge=0, le=50)] = 1.0
    step_cache: StepCacheText | None = None

    @classmethod
    def of(cls, level: Level) -> ProfiledLevel:
        """What a profile must know of a cluster's level."""
        return cls(**{name: getattr(level, name) for name in cls.model_fields})


class Timing(_Model):
    """How long a level's images take."""

    seconds: Seconds
    """Median per image, as its caller sees it: a batch's time by its images."""
    deviation: Deviation
    """Standard deviation of that over the samples, in seconds."""
    samples: Samples
    """Batches that were timed."""
    memory_bytes: Bytes = 0
    """The most that the worker told of meanwhile: on its accelerator, or of the process."""


class SwitchTiming(_Model):
    """How long a worker takes to hold a variant instead of another, once it has nothing to do."""

    seconds: Annotated[float, Field(ge=0, le=86_400)]
    """Median."""
    deviation: Deviation
    samples: Samples
    disk_bytes: Bytes = 0
    """The most that one such switch read; 0 where all was in host memory."""


class Device(_Model):
    """What was timed on one type of device."""

    device: str
    """The device's own name, such as `NVIDIA H100`; `cpu` for none."""
    timings: dict[Name, dict[PixelSize, dict[Batch, Timing]]]
    """By level, size in pixels, and images drawn at once."""
    switches: dict[Name, SwitchTiming] = {}
    """By variant."""


class PromptScores(_Model):
    """A prompt's pictures at every level that begins from nothing."""

    prompt: Prompt
    seeds: tuple[int, ...] = ()
    """What each score's picture was drawn with; empty where that is not known."""
    scores: dict[Name, Scores]
    """By level: of each seed, the seeds' order the same at every level."""

    @model_validator(mode="after")
    def _holds_together(self) -> PromptScores:
        counts = {len(scores) for scores in self.scores.values()}
        if len(counts) > 1:
            raise ValueError(f"scores: as many at every level, there are {sorted(counts)}")
        if self.seeds and counts - {len(self.seeds)}:
            raise ValueError(f"seeds: must be {max(counts)}, are {len(self.seeds)}")
        return self


class Start(_Model):
    """A prompt's pictures at a level that begins from another prompt's latent."""

    prompt: Prompt
    level: Name
    """One with skipped steps."""
    origin: Annotated[str, Field(alias="from", min_length=1, max_length=8192)]
    """The prompt that the latent was drawn for."""
    relation: Literal["same", "near", "far", "unknown"] = "unknown"
    """How the two were chosen: `far` ones have nothing to do with each other."""
    similarity: Annotated[float, Field(ge=-1, le=1)] = 0.0
    """Cosine of the two prompts; 0 where it is not known."""
    seeds: tuple[int, ...] = ()
    """Of the latents, one a score; empty where that is not known."""
    scores: Scores
    """The prompt's pictures at the levels that begin from nothing are among the quality's."""


class Quality(_Model):
    """How good the pictures are, by one metric."""

    metric: MetricName
    comparison: Comparison
    """How scores become qualities, see `argus_core.quality`."""
    scale: Annotated[float, Field(gt=0)] = 1.0
    """Of the metric, see there."""
    best: Name
    """The level that others are held against."""
    prompts: Annotated[tuple[PromptScores, ...], Field(min_length=1)]


class ArgusProfile(_Model):
    """The whole document."""

    kind: Literal["ArgusProfile"] = "ArgusProfile"
    version: Literal[1] = 1
    ladder: Annotated[tuple[ProfiledLevel, ...], Field(min_length=1, max_length=256)]
    """From dearest to cheapest."""
    devices: dict[str, Device]
    """By GPU type, as pools name them."""
    quality: Quality
    starts: tuple[Start, ...] = ()

    @model_validator(mode="after")
    def _holds_together(self) -> ArgusProfile:
        for problem in _problems(self):
            raise ValueError(problem)
        return self

    @property
    def full_levels(self) -> tuple[str, ...]:
        """Names of the levels that begin from nothing, in the ladder's order."""
        return tuple(level.name for level in self.ladder if not level.skipped_steps)


def parse_profile(document: Any) -> ArgusProfile:
    """Check a document, as JSON or YAML gives it.

    Raises:
        InvalidRequest: naming every field that is wrong.
    """
    if isinstance(document, dict):
        # Code may leave them out; a file that does may be anything.
        document = {"kind": None, "version": None, **document}
    try:
        return ArgusProfile.model_validate(document)
    except ValidationError as error:
        raise InvalidRequest(checked.violations(error, ArgusProfile)) from error


def dump_profile(profile: ArgusProfile) -> dict[str, Any]:
    """The document, as JSON takes it; `parse_profile` reads it back."""
    return profile.model_dump(mode="json", by_alias=True)


def _problems(profile: ArgusProfile) -> Iterator[str]:
    names = [level.name for level in profile.ladder]
    full = set(profile.full_levels)
    if twins := _twins(names):
        yield f"ladder: names must be unique, {twins} are not"
    for gpu, device in profile.devices.items():
        if unknown := sorted(device.timings.keys() - set(names)):
            yield f"devices.{gpu}.timings: the ladder has no {unknown}"
    if profile.quality.best not in full:
        yield f"quality.best: must be a level without skipped steps, is {profile.quality.best!r}"
    for index, row in enumerate(profile.quality.prompts):
        if row.scores.keys() != full:
            wrong = sorted(row.scores.keys() ^ full)
            yield f"quality.prompts[{index}].scores: all levels without skipped steps; {wrong}"
    if twins := _twins(row.prompt for row in profile.quality.prompts):
        yield f"quality.prompts: must be unique, {twins[:3]} are not"
    skipping = set(names) - full
    for index, start in enumerate(profile.starts):
        if start.level not in skipping:
            yield f"starts[{index}].level: must have skipped steps, {start.level!r} has not"


def _twins(names: Iterable[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)
