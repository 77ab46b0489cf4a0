"""From a request to an order: everything that can be wrong is found before any work."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch

from argus_core import latents, step_cache
from argus_core.errors import InvalidRequest, Violation
from argus_protos.v1 import cluster_pb2, worker_pb2
from argus_worker import keeping
from argus_worker.families.facts import Facts
from argus_worker.families.protocol import Limits
from argus_worker.latents import unpack
from argus_worker.masters import Held
from argus_worker.order import Order

MAX_REQUEST_ID = 256
"""Characters; it is written to logs."""


def to_order(request: worker_pb2.ExecuteRequest, held: Held, *, has_store: bool = False) -> Order:
    """The order that a request asks of a variant; a start by key is yet to be fetched.

    Raises:
        InvalidRequest: naming every field that is wrong.
    """
    family, limits = held.family, held.family.limits
    schedule = request.schedule
    given = request.HasField("size")
    width, height = (
        (request.size.width, request.size.height) if given else (limits.width, limits.height)
    )
    violations = [
        *_texts(request, limits, family.tokens),
        *_size(width, height, limits),
        *_schedule(schedule, limits),
        *_step_cache(schedule, family.FACTS),
        *_captures(request),
        *keeping.violations(request),
        *_format(request),
    ]
    compatibility = latents.compatibility(
        held.latent_space,
        steps=schedule.steps,
        guidance=schedule.guidance_scale,
        width=width,
        height=height,
        cache=schedule.step_cache,
    )
    start = None
    try:
        # What follows from wrong numbers would only confuse.
        if not violations:
            shape = family.latent_shape(width, height)
            start = _start(request, compatibility, shape, family.dtype, has_store=has_store)
    except ValueError as error:
        violations.append(Violation("start", str(error)))
    if violations:
        raise InvalidRequest(violations)
    return Order(
        request_id=request.request_id,
        held=held,
        prompt=request.prompt,
        negative_prompt=request.negative_prompt,
        width=width,
        height=height,
        steps=schedule.steps,
        skipped_steps=schedule.skipped_steps,
        guidance_scale=schedule.guidance_scale,
        seed=request.seed,
        start=start,
        capture_steps=frozenset(request.capture_steps),
        preview_every_steps=request.preview_every_steps,
        compatibility=compatibility,
        step_cache=step_cache.parse(schedule.step_cache) if schedule.step_cache else None,
        scope=request.scope,
        start_key=request.start.key,
        keep=keeping.wish(request),
    )


def _texts(
    request: worker_pb2.ExecuteRequest, limits: Limits, tokens: Callable[[str], int]
) -> Iterator[Violation]:
    if not request.prompt.strip():
        yield Violation("prompt", "must not be empty")
    if len(request.request_id) > MAX_REQUEST_ID:
        yield Violation("request_id", f"must be at most {MAX_REQUEST_ID} characters")
    for field in ("prompt", "negative_prompt"):
        text: str = getattr(request, field)
        if (size := len(text.encode())) > limits.max_prompt_bytes:
            yield Violation(field, f"must be at most {limits.max_prompt_bytes} bytes, is {size}")
        elif text and (count := tokens(text)) > limits.max_prompt_tokens:
            yield Violation(field, f"must be at most {limits.max_prompt_tokens} tokens, is {count}")


def _size(width: int, height: int, limits: Limits) -> Iterator[Violation]:
    least, most, multiple = limits.min_side, limits.max_side, limits.side_multiple
    fits = True
    able = f"{least}" if least == most else f"{least} to {most} in multiples of {multiple}"
    for field, side in (("size.width", width), ("size.height", height)):
        if not least <= side <= most or side % multiple:
            fits = False
            yield Violation(field, f"must be {able}, is {side}")
    if fits and width * height > limits.max_pixels:
        yield Violation("size", f"must be at most {limits.max_pixels} pixels in all")


def _schedule(schedule: cluster_pb2.Schedule, limits: Limits) -> Iterator[Violation]:
    if not 1 <= schedule.steps <= limits.max_steps:
        yield Violation("schedule.steps", f"must be 1 to {limits.max_steps}, is {schedule.steps}")
    skipped = schedule.skipped_steps
    if skipped and skipped >= schedule.steps:
        yield Violation("schedule.skipped_steps", f"must be below steps, is {skipped}")
    if skipped and not limits.resumable:
        yield Violation(
            "schedule.skipped_steps", "must be 0: the variant's scheduler needs its history"
        )
    scale = schedule.guidance_scale
    if not (math.isfinite(scale) and 0 <= scale <= limits.max_guidance):
        yield Violation(
            "schedule.guidance_scale", f"must be 0 to {limits.max_guidance:g}, is {scale:g}"
        )


def _step_cache(schedule: cluster_pb2.Schedule, facts: Facts) -> Iterator[Violation]:
    field = "schedule.step_cache"
    if not schedule.step_cache:
        return
    try:
        method = step_cache.parse(schedule.step_cache).method
    except ValueError as error:
        yield Violation(field, str(error))
        return
    if method not in facts.step_caches:
        yield Violation(field, f"the variant's family has no {method}")
    if schedule.skipped_steps:
        yield Violation(field, "must be empty where steps are skipped: it counts them from 0")


def _captures(request: worker_pb2.ExecuteRequest) -> Iterator[Violation]:
    steps = list(request.capture_steps)
    if steps != sorted(set(steps)):
        yield Violation("capture_steps", "must be ascending")
    least, most = request.schedule.skipped_steps + 1, request.schedule.steps - 1
    for index, step in enumerate(steps):
        if not least <= step <= most:
            yield Violation(
                f"capture_steps[{index}]",
                f"must be a step done and not the last, {least} to {most}, is {step}",
            )
            return


def _format(request: worker_pb2.ExecuteRequest) -> Iterator[Violation]:
    if request.format not in cluster_pb2.ImageFormat.values():
        yield Violation("format", f"unknown, {request.format}")


def _start(
    request: worker_pb2.ExecuteRequest,
    compatibility: str,
    shape: tuple[int, ...],
    dtype: torch.dtype,
    *,
    has_store: bool,
) -> torch.Tensor | None:
    """The start latent if it came along; ValueError says what is wrong with it."""
    skipped, given = request.schedule.skipped_steps, request.start
    if not request.HasField("start"):
        if skipped:
            raise ValueError(f"must stand in for the {skipped} skipped steps")
        return None
    if not skipped:
        raise ValueError("must be absent where schedule.skipped_steps is 0")
    if given.step != skipped:
        raise ValueError(f"must have the {skipped} skipped steps behind it, has {given.step}")
    if given.compatibility != compatibility:
        raise ValueError(f"must be of {compatibility!r}, is of {given.compatibility!r}")
    if given.key:
        if not has_store:
            raise ValueError("must hold data: this worker has no latent store")
        return None
    if given.WhichOneof("location") != "data":
        raise ValueError("must hold data or a key")
    return unpack(given.data, shape=shape, dtype=dtype)
