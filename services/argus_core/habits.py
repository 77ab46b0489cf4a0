"""What a ladder is made of where a document states none: how models are commonly drawn.

Steps and guidance are those that the models' authors and their users ask for; tests hold them to
what the families can do. Seconds and qualities are guesses, of which only the order means
anything: routers learn the seconds of what they see drawn, and a profile brings measured figures.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from argus_core.errors import InvalidRequest, Violation


@dataclass(frozen=True, kw_only=True)
class Habit:
    """How the models of a family are drawn."""

    steps: tuple[int, ...]
    """Of its levels, from dearest to cheapest."""
    guidance_scale: float = 1.0
    """1 for none."""
    resumable: bool = False
    """Whether steps can be skipped, with the scheduler that the public models come with."""


HABITS = {
    "shapes": Habit(steps=(24, 12, 8), guidance_scale=2.0, resumable=True),
    "sd15": Habit(steps=(30, 20, 12), guidance_scale=7.5),
    "sdxl": Habit(steps=(30, 20, 12), guidance_scale=5.0, resumable=True),
    "sdxl-turbo": Habit(steps=(4, 2, 1)),
    "sdxl-lightning": Habit(steps=(8, 4)),
    "pixart": Habit(steps=(20, 14), guidance_scale=4.5),
    "sd3": Habit(steps=(28, 20, 14), guidance_scale=4.5, resumable=True),
    "flux": Habit(steps=(28, 20, 14), guidance_scale=3.5, resumable=True),
    "flux-schnell": Habit(steps=(4, 2)),
    "sana": Habit(steps=(20, 14), guidance_scale=4.5),
    "sana-sprint": Habit(steps=(2, 1), guidance_scale=4.5),
    "z-image": Habit(steps=(9, 6)),
    "qwen-image": Habit(steps=(50, 28, 20), guidance_scale=4.0, resumable=True),
    "qwen-image-lightning": Habit(steps=(8, 4)),
    "flux2-klein": Habit(steps=(4, 2)),
}
"""By family."""
_SKIPPED = (0.25, 0.5)
"""Shares of the dearest level's steps that cached latents stand in for."""
_STEP, _LEAST_STEP = 0.1, 0.005
"""Seconds that a step is taken for at 1024 x 1024 pixels, and at the least."""
_NEXT_SECONDS, _NEXT_QUALITY = 0.5, 0.9
"""What each variant is taken for by the one before it in the document."""
_FEWER = 0.1
"""Power of the share of steps by which quality is taken to fall; twice that for skipped steps."""


def levels(
    variants: Iterable[tuple[str, str]], *, gpu_types: Sequence[str], pixels: int, stored: bool
) -> list[dict[str, Any]]:
    """The levels of a ladder from dearest to cheapest, as a document writes them.

    Args:
        variants: name and family of each, the best model first.
        gpu_types: of the pools.
        pixels: of an image of the default size.
        stored: whether there is a latent store, so that steps can be skipped.

    Raises:
        InvalidRequest: naming the variants whose family is not known here.
    """
    named = list(variants)
    if unknown := [name for name, family in named if family not in HABITS]:
        known = ", ".join(sorted(HABITS))
        problem = f"give one: how to draw {', '.join(unknown)} is not known, only {known}"
        raise InvalidRequest([Violation("spec.ladder", problem)])
    found = [
        level
        for rank, (name, family) in enumerate(named)
        for level in _levels(name, HABITS[family], rank, gpu_types, pixels, stored=stored)
    ]
    return sorted(found, key=lambda level: -level["quality"])


def _levels(
    name: str, habit: Habit, rank: int, gpu_types: Sequence[str], pixels: int, *, stored: bool
) -> Iterator[dict[str, Any]]:
    most = habit.steps[0]
    drawn = [(steps, 0) for steps in habit.steps]
    if stored and habit.resumable:
        drawn += [(most, round(most * share)) for share in _SKIPPED]
    step = max(_LEAST_STEP, _STEP * pixels / 2**20) * _NEXT_SECONDS**rank
    for steps, skipped in drawn:
        quality = (steps / most) ** _FEWER * (1 - skipped / steps) ** (2 * _FEWER)
        yield {
            "name": f"{name}-{steps}-k{skipped}" if skipped else f"{name}-{steps}",
            "variant": name,
            "steps": steps,
            "skippedSteps": skipped,
            "guidanceScale": habit.guidance_scale,
            "quality": round(_NEXT_QUALITY**rank * quality, 3),
            "seconds": dict.fromkeys(gpu_types, round(step * (steps - skipped), 6)),
        }
