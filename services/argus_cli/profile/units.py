"""The pieces of a profile: each is measured in one go, kept once, and found again by its key."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from argus_cli.profile.ask import Ask, Pair
from argus_core.latents import path
from argus_core.profile.document import ProfiledLevel


@dataclass(frozen=True)
class TimeUnit:
    """Seconds of a level at a size and a batch, on one type of device."""

    gpu_type: str
    level: ProfiledLevel
    size: str
    batch: int

    @property
    def key(self) -> str:
        """Unique within the profile."""
        return _key("time", self.gpu_type, self.level.name, self.size, self.batch)


@dataclass(frozen=True)
class SwitchUnit:
    """Seconds of loading a variant in another's place, on one type of device."""

    gpu_type: str
    variant: str
    other: str

    @property
    def key(self) -> str:
        """Unique within the profile."""
        return _key("switch", self.gpu_type, self.variant)


@dataclass(frozen=True)
class DrawUnit:
    """A prompt's pictures at a level that begins from nothing, of every seed."""

    level: ProfiledLevel
    prompt: str

    @property
    def key(self) -> str:
        """Unique within the profile."""
        return _key("draw", self.level.name, self.prompt)


@dataclass(frozen=True)
class StartUnit:
    """A pair's pictures at all levels that go on from the same latents."""

    levels: tuple[ProfiledLevel, ...]
    """Of one variant, schedule and guidance; they differ in steps skipped."""
    pair: Pair

    @property
    def key(self) -> str:
        """Unique within the profile."""
        return _key("start", self.levels[0].name, self.pair.prompt, self.pair.origin)


def time_units(ask: Ask, gpu_type: str, batches: Iterable[int]) -> list[TimeUnit]:
    """In an order that switches variants seldom."""
    levels = sorted(ask.ladder, key=lambda level: _place(ask, level.variant))
    sized = [(size, batch) for size in ask.sizes for batch in batches]
    return [TimeUnit(gpu_type, level, size, batch) for level in levels for size, batch in sized]


def switch_units(ask: Ask, gpu_type: str) -> list[SwitchUnit]:
    """None where there is but one variant."""
    variants = list(dict.fromkeys(level.variant for level in ask.ladder))
    if len(variants) < 2:
        return []
    others = [variants[-1], *variants]
    return [SwitchUnit(gpu_type, v, other) for v, other in zip(variants, others, strict=False)]


def draw_units(ask: Ask) -> list[DrawUnit]:
    """In an order that switches variants seldom."""
    levels = sorted(ask.full, key=lambda level: _place(ask, level.variant))
    return [DrawUnit(level, prompt) for level in levels for prompt in ask.prompts]


def start_units(ask: Ask) -> list[StartUnit]:
    """In an order that switches variants seldom."""
    groups: dict[tuple[str, int, float, str | None], list[ProfiledLevel]] = {}
    for level in sorted(ask.cached, key=lambda level: _place(ask, level.variant)):
        groups.setdefault(path(level), []).append(level)
    return [StartUnit(tuple(levels), pair) for levels in groups.values() for pair in ask.pairs]


def _place(ask: Ask, variant: str) -> int:
    return [level.variant for level in ask.ladder].index(variant)


def _key(*parts: str | int) -> str:
    return json.dumps(parts, ensure_ascii=False)
