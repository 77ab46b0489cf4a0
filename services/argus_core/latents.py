"""What makes a latent reusable: the text that two latents share if one can stand for the other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar


class Scheduled(Protocol):
    """A level, as a cluster's document or a profile has it."""

    @property
    def variant(self) -> str: ...  # noqa: D102 - see `argus_core.spec.Level`
    @property
    def steps(self) -> int: ...  # noqa: D102
    @property
    def skipped_steps(self) -> int: ...  # noqa: D102
    @property
    def guidance_scale(self) -> float: ...  # noqa: D102
    @property
    def step_cache(self) -> str | None: ...  # noqa: D102


L = TypeVar("L", bound=Scheduled)


def path(level: Scheduled) -> tuple[str, int, float, str | None]:
    """What levels share that go through the same latents, wherever they begin."""
    return level.variant, level.steps, level.guidance_scale, level.step_cache


def in_full(level: Scheduled, ladder: Iterable[L]) -> L | None:
    """The level of the same path that skips nothing; None where the ladder has none."""
    same = (o for o in ladder if not o.skipped_steps and path(o) == path(level))
    return next(same, None)


def latent_space(*, variant: str, model: str, scheduler: str, dtype: str) -> str:
    """Names the space that a variant's latents live in.

    Args:
        variant: its name.
        model: tells its weights, LoRAs included, from any others.
        scheduler: tells its scheduler's config from any other.
        dtype: of its latents, such as `float16`.
    """
    return f"variant={variant};model={model};scheduler={scheduler};dtype={dtype}"


def compatibility(
    space: str, *, steps: int, guidance: float, width: int, height: int, cache: str = ""
) -> str:
    """The canonical text of a space, a schedule, a guidance scale and a size in pixels.

    What a step cache has made is near to what it stands for, and never taken for it.
    """
    made = f";cache={cache}" if cache else ""
    return f"{space};steps={steps};guidance={guidance!r};size={width}x{height}{made}"
