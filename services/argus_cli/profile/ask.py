"""What a profile shall measure: everything that decides what will be found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from argus_core.profile.document import ProfiledLevel
from argus_core.quality import Comparison
from argus_core.spec import ClusterSpec, Variant


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A prompt, and the one whose latent it begins from."""

    prompt: str
    origin: str
    relation: str
    """`same`, `near` or `far`."""


@dataclass(frozen=True, kw_only=True)
class Judge:
    """What a worker says of the metric."""

    comparison: Comparison
    scale: float
    needs_reference: bool
    """Whether a picture is held against the best level's of the same seed."""


@dataclass(frozen=True, kw_only=True)
class Ask:
    """See the module."""

    ladder: tuple[ProfiledLevel, ...]
    best: str
    """The level that others are held against."""
    models: dict[str, str]
    """By variant: what it is loaded from, and how."""
    sizes: tuple[str, ...]
    """That are timed, such as `48x48`; the first is what prompts are drawn in."""
    batches: tuple[int, ...]
    samples: int
    """Batches that are timed, and switches of each variant."""
    metric: str
    prompts: tuple[str, ...]
    seeds: tuple[int, ...]
    pairs: tuple[Pair, ...]
    start_seeds: tuple[int, ...]
    """Of the latents that pairs begin from; each is one of `seeds`."""

    @property
    def full(self) -> tuple[ProfiledLevel, ...]:
        """Levels that begin from nothing, in the ladder's order."""
        return tuple(level for level in self.ladder if not level.skipped_steps)

    @property
    def cached(self) -> tuple[ProfiledLevel, ...]:
        """Levels that begin from a latent, in the ladder's order."""
        return tuple(level for level in self.ladder if level.skipped_steps)

    def level(self, name: str) -> ProfiledLevel:
        """The level of this name; StopIteration where there is none."""
        return next(level for level in self.ladder if level.name == name)

    def told(self) -> dict[str, Any]:
        """What a journal keeps, to be sure that it is continued by the same ask."""
        return {
            "ladder": [level.model_dump(by_alias=True) for level in self.ladder],
            "best": self.best,
            "models": self.models,
            "sizes": list(self.sizes),
            "batches": list(self.batches),
            "samples": self.samples,
            "metric": self.metric,
            "prompts": list(self.prompts),
            "seeds": list(self.seeds),
            "pairs": [[pair.prompt, pair.origin, pair.relation] for pair in self.pairs],
            "start_seeds": list(self.start_seeds),
        }


def best_of(spec: ClusterSpec) -> str:
    """The level of the highest prior quality among those that begin from nothing.

    Of equals it is the first; empty where there is none.
    """
    full = [level for level in spec.ladder if not level.skipped_steps]
    return max(full, key=lambda level: level.quality).name if full else ""


def models_of(spec: ClusterSpec) -> dict[str, str]:
    """By variant: what it is loaded from, and how."""
    return {v.name: _made_of(v) for v in spec.variants}


def _made_of(variant: Variant) -> str:
    loras = "".join(
        f" + {lora.scale:g} {lora.model}@{lora.revision or ''} {lora.file or ''}".rstrip()
        for lora in variant.loras
    )
    chosen = {"attention": variant.attention, "compile": variant.compile}
    how = "".join(f" {field}={word}" for field, word in chosen.items() if word != "auto")
    dtype = "+".join(filter(None, (variant.dtype, variant.quantization)))
    return f"{variant.model}@{variant.revision or ''} {dtype}{loras}{how}"


def pixels(size: str) -> tuple[int, int]:
    """Width and height of `48x48`."""
    width, height = size.split("x")
    return int(width), int(height)
