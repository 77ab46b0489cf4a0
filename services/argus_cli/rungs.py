"""Whether a ladder's levels can be drawn by the families of their variants, before any GPU is used.

Pure but for the folder of a local model, of which the scheduler's config and the heads of the files
of weights are read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from argus_cli import weighing
from argus_core.errors import Violation
from argus_core.latents import in_full

if TYPE_CHECKING:
    from argus_core.spec import ClusterSpec, Level, Variant
    from argus_worker.families.facts import Facts

HISTORY = (
    "DEISMultistepScheduler",
    "DPMSolverMultistepScheduler",
    "IPNDMScheduler",
    "LMSDiscreteScheduler",
    "PNDMScheduler",
    "UniPCMultistepScheduler",
)
"""Schedulers whose step needs what earlier steps left; a start in the midst is not exact."""


def problems(
    spec: ClusterSpec, find: Callable[[str], Facts], folder: Callable[[Variant], Path | None]
) -> Iterator[Violation]:
    """All that a family could not do, each by the field that asks for it.

    Args:
        spec: of a document that is sound in itself.
        find: the facts of a family; LookupError where there is none of the name.
        folder: a variant's directory; None where it is not on this machine.
    """
    facts: dict[str, Facts] = {}
    shipped: dict[str, str] = {}
    for index, variant in enumerate(spec.variants):
        field = f"spec.variants[{index}]"
        try:
            facts[variant.name] = found = find(variant.family)
        except LookupError as error:
            yield Violation(f"{field}.family", str(error))
            continue
        shipped[variant.name] = _scheduler(folder(variant)) or found.ships
        if variant.dtype not in found.dtypes:
            able = " or ".join(found.dtypes)
            yield Violation(f"{field}.dtype", f"{variant.family} must have {able}")
        if variant.loras and not found.loras:
            yield Violation(f"{field}.loras", f"{variant.family} takes none")
        yield from _memory(f"{field}.model", variant, folder(variant), spec)
    yield from _sizes(spec, facts)
    for index, level in enumerate(spec.ladder):
        if level.variant in facts:
            can = facts[level.variant]
            family = spec.variant(level.variant).family
            yield from _level(f"spec.ladder[{index}]", level, can, family)
            if level.skipped_steps:
                field = f"spec.ladder[{index}].skippedSteps"
                yield from _skips(field, level, can, family, shipped[level.variant], spec)


def unweighed(spec: ClusterSpec, folder: Callable[[Variant], Path | None]) -> Iterator[Variant]:
    """Variants that nothing is known of whether they fit a GPU; `folder` as for `problems`."""
    for variant in spec.variants:
        place = folder(variant)
        if not place or not weighing.weights(place, variant):
            yield variant


def _memory(
    field: str, variant: Variant, folder: Path | None, spec: ClusterSpec
) -> Iterator[Violation]:
    """The weights must fit a GPU of some pool, as far as both are known."""
    takes = weighing.weights(folder, variant) if folder else 0
    has = {pool.gpu_type: weighing.GPU_BYTES.get(pool.gpu_type, inf) for pool in spec.pools}
    if takes > max(has.values()):
        most = ", ".join(f"{gpu} has {memory / 1e9:.0f}" for gpu, memory in has.items())
        yield Violation(field, f"its weights take {takes / 1e9:.1f} GB of memory, and {most}")


def _sizes(spec: ClusterSpec, facts: Mapping[str, Facts]) -> Iterator[Violation]:
    """The default size must suit every variant, as a request without one may be given any."""
    size = spec.default_size
    for name, can in facts.items():
        least, most = can.min_side, can.max_side
        able = f"{least} to {most} in multiples of {can.side_multiple}" if least < most else least
        sides = (("width", size.width), ("height", size.height))
        for side, pixels in sides:
            if not least <= pixels <= most or pixels % can.side_multiple:
                yield Violation(f"spec.defaultSize.{side}", f"{name} must have {able}, is {pixels}")
        if size.width * size.height > can.max_pixels:
            yield Violation("spec.defaultSize", f"{name} takes at most {can.max_pixels} pixels")


def _level(field: str, level: Level, can: Facts, family: str) -> Iterator[Violation]:
    if level.steps > can.max_steps:
        yield Violation(
            f"{field}.steps", f"{family} takes at most {can.max_steps} steps, is {level.steps}"
        )
    method = (level.step_cache or "").partition(":")[0]
    if method and method not in can.step_caches:
        able = " or ".join(can.step_caches) or "none"
        yield Violation(f"{field}.stepCache", f"{family} has {able}, not {method}")
    scale, most = level.guidance_scale, can.max_guidance if can.guided else 1.0
    if scale > most:
        why = "" if can.guided else ": it was distilled to do without"
        yield Violation(
            f"{field}.guidanceScale", f"{family} takes at most {most:g}, is {scale:g}{why}"
        )


def _skips(
    field: str, level: Level, can: Facts, family: str, scheduler: str, spec: ClusterSpec
) -> Iterator[Violation]:
    if not can.resumable:
        yield Violation(field, f"must be 0: {family} draws in few steps, with none to skip")
    elif scheduler in HISTORY:
        yield Violation(
            field,
            f"must be 0: {scheduler} needs its history; give the model a folder with Euler or DDIM",
        )
    if spec.latent_store is None:
        yield Violation(field, "must be 0: without spec.latentStore there is nothing to start from")
    if in_full(level, spec.ladder) is None:
        yield Violation(
            field,
            f"no level draws {level.variant} in {level.steps} steps at guidance"
            f" {level.guidance_scale:g} in full, so none leaves latents of this space and schedule",
        )


def _scheduler(folder: Path | None) -> str:
    """Class name that a folder's scheduler config tells; empty where it tells none."""
    if folder is None:
        return ""
    try:
        told = json.loads((folder / "scheduler" / "scheduler_config.json").read_text("utf-8"))
        return str(told["_class_name"])
    except (OSError, ValueError, LookupError, TypeError):
        return ""
