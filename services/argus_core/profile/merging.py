"""One profile of two: measured on several machines, or of more prompts and seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import sqrt
from typing import TypeVar

from argus_core.errors import InvalidRequest, Violation
from argus_core.profile.document import (
    ArgusProfile,
    Device,
    PromptScores,
    Quality,
    Start,
    SwitchTiming,
    Timing,
)

K = TypeVar("K")
V = TypeVar("V")
_Timed = TypeVar("_Timed", Timing, SwitchTiming)


def merge(one: ArgusProfile, other: ArgusProfile) -> ArgusProfile:
    """What both say: devices and prompts of either, samples and seeds of both.

    Prompts keep the order of `one`, then that of `other`. A prompt's seeds that both have drawn
    count once. Times of the same thing become their mean by samples, as medians cannot be pooled.

    Raises:
        InvalidRequest: they are not of the same ladder, metric or devices; all that differs is
            named.
    """
    if problems := list(_differences(one, other)):
        raise InvalidRequest(problems)
    return ArgusProfile(
        ladder=one.ladder,
        devices=_united(one.devices, other.devices, _device),
        quality=_quality(one.quality, other.quality),
        starts=_starts(one.starts, other.starts),
    )


def _differences(one: ArgusProfile, other: ArgusProfile) -> Iterator[Violation]:
    names = [level.name for level in one.ladder]
    if (others := [level.name for level in other.ladder]) != names:
        yield Violation("ladder", f"must be of the same levels: {names}, and {others}")
    for level, twin in zip(one.ladder, other.ladder, strict=False):
        if level.name == twin.name and level != twin:
            said, meant = (row.model_dump(by_alias=True) for row in (level, twin))
            differ = {k: (v, meant[k]) for k, v in said.items() if v != meant[k]}
            yield Violation(f"ladder[{level.name}]", f"must be the same, differs in {differ}")
    for field in ("metric", "comparison", "scale", "best"):
        values = [getattr(profile.quality, field) for profile in (one, other)]
        if values[0] != values[1]:
            yield Violation(f"quality.{field}", f"must be the same: {values[0]!r}, {values[1]!r}")
    for gpu in one.devices.keys() & other.devices.keys():
        devices = [profile.devices[gpu].device for profile in (one, other)]
        if devices[0] != devices[1]:
            problem = f"must be the same: {devices[0]!r}, {devices[1]!r}"
            yield Violation(f"devices.{gpu}.device", problem)


def _device(one: Device, other: Device) -> Device:
    timings = {
        level: _united(sizes, other.timings.get(level, {}), lambda a, b: _united(a, b, _timing))
        for level, sizes in one.timings.items()
    }
    return Device(
        device=one.device,
        timings=other.timings | timings,
        switches=_united(one.switches, other.switches, _switch),
    )


def _timing(one: Timing, other: Timing) -> Timing:
    seconds, deviation = _pooled(one, other)
    return Timing(
        seconds=seconds,
        deviation=deviation,
        samples=one.samples + other.samples,
        memory_bytes=max(one.memory_bytes, other.memory_bytes),
    )


def _switch(one: SwitchTiming, other: SwitchTiming) -> SwitchTiming:
    seconds, deviation = _pooled(one, other)
    return SwitchTiming(
        seconds=seconds,
        deviation=deviation,
        samples=one.samples + other.samples,
        disk_bytes=max(one.disk_bytes, other.disk_bytes),
    )


def _pooled(one: _Timed, other: _Timed) -> tuple[float, float]:
    """Mean and deviation of both together, with each middle standing in for its mean."""
    share = one.samples / (one.samples + other.samples)
    mean = share * one.seconds + (1 - share) * other.seconds
    within = share * one.deviation**2 + (1 - share) * other.deviation**2
    between = share * (1 - share) * (one.seconds - other.seconds) ** 2
    return mean, sqrt(within + between)


def _quality(one: Quality, other: Quality) -> Quality:
    rows = _united(
        {row.prompt: row for row in one.prompts}, {row.prompt: row for row in other.prompts}, _row
    )
    return one.model_copy(update={"prompts": tuple(rows.values())})


def _row(one: PromptScores, other: PromptScores) -> PromptScores:
    count = len(next(iter(other.scores.values())))
    new = _new(one.seeds, other.seeds, count)
    known = bool(one.seeds and other.seeds)
    return PromptScores(
        prompt=one.prompt,
        seeds=(*one.seeds, *(other.seeds[i] for i in new)) if known else (),
        scores={
            level: (*scores, *(other.scores[level][i] for i in new))
            for level, scores in one.scores.items()
        },
    )


def _starts(one: tuple[Start, ...], other: tuple[Start, ...]) -> tuple[Start, ...]:
    def keyed(starts: tuple[Start, ...]) -> dict[tuple[str, str, str], Start]:
        return {(start.level, start.prompt, start.origin): start for start in starts}

    return tuple(_united(keyed(one), keyed(other), _start).values())


def _start(one: Start, other: Start) -> Start:
    new = _new(one.seeds, other.seeds, len(other.scores))
    known = bool(one.seeds and other.seeds)
    return one.model_copy(
        update={
            "seeds": (*one.seeds, *(other.seeds[i] for i in new)) if known else (),
            "scores": (*one.scores, *(other.scores[i] for i in new)),
        }
    )


def _new(seeds: tuple[int, ...], others: tuple[int, ...], count: int) -> list[int]:
    """Which of the other's scores are of seeds that are not known yet."""
    return [i for i in range(count) if not others or others[i] not in seeds]


def _united(one: Mapping[K, V], other: Mapping[K, V], both: Callable[[V, V], V]) -> dict[K, V]:
    return {
        key: (both(one[key], other[key]) if key in other else one[key])
        if key in one
        else other[key]
        for key in (*one, *(key for key in other if key not in one))
    }
