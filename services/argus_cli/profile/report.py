"""What a profile says, for people: a table, a page in Markdown, and a picture."""

from __future__ import annotations

import os
import platform
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from argus_core.profile.document import ArgusProfile, Timing
from argus_core.profile.figures import priors, qualities, started

RELATIONS = ("same", "near", "far")
_NOWHERE = "-"


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A table."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def sheets(profile: ArgusProfile) -> list[Sheet]:
    """Times and switches of every device, qualities, and starts where there are any."""
    found = [_times(profile, gpu) for gpu in profile.devices]
    found += [_switches(profile, gpu) for gpu, d in profile.devices.items() if d.switches]
    found.append(_qualities(profile))
    return [*found, _starts(profile)] if profile.starts else found


def markdown(profile: ArgusProfile, *, command: str, machine: str, took: float) -> str:
    """A page with all tables."""
    measured = profile.quality
    seeds = len(next(iter(measured.prompts[0].scores.values())))
    said = (
        f"Measured by `{command}` in {took / 60:.0f} min on {machine}: {len(measured.prompts)} "
        f"prompts, {seeds} seeds each, judged by `{measured.metric}` and held against "
        f"`{measured.best}`."
    )
    lines = ["# What the ladder takes and gives", "", said, ""]
    for sheet in sheets(profile):
        lines += [f"## {sheet.title}", "", _row(sheet.head), _row(["---"] * len(sheet.head))]
        lines += [*map(_row, sheet.rows), ""]
    return "\n".join(lines)


def machine() -> str:
    """The machine that this runs on: its processor, how many cores may be used, its system."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [s.partition(":")[2].strip() for s in info.read_text().splitlines()
                  if s.startswith("model name")]  # fmt: skip
        name = models[0] if models else name
    known = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if known else os.cpu_count()
    return f"{name}, {cores} cores, {platform.system()}"


def _times(profile: ArgusProfile, gpu: str) -> Sheet:
    device = profile.devices[gpu]
    sizes = sorted({(size, batch) for by_size in device.timings.values()
                    for size, timings in by_size.items() for batch in timings})  # fmt: skip
    rows = []
    for level in profile.ladder:
        by_size = device.timings.get(level.name, {})
        cells = [by_size.get(size, {}).get(batch) for size, batch in sizes]
        memory = max((timing.memory_bytes for timing in cells if timing), default=0)
        rows.append((level.name, *map(_timing, cells), f"{memory / 2**20:.0f}"))
    head = ("level", *(f"{size}, {batch} at once" for size, batch in sizes), "memory, MiB")
    title = f"Milliseconds per image on {gpu} ({device.device})"
    return Sheet(title=title, head=head, rows=tuple(rows))


def _switches(profile: ArgusProfile, gpu: str) -> Sheet:
    rows = [
        (variant, f"{1000 * s.seconds:.0f} ± {1000 * s.deviation:.0f}", f"{s.disk_bytes:,}")
        for variant, s in profile.devices[gpu].switches.items()
    ]
    head = ("variant", "milliseconds", "bytes from disk, at most")
    return Sheet(title=f"Loading a variant on {gpu}", head=head, rows=tuple(rows))


def _qualities(profile: ArgusProfile) -> Sheet:
    means, by_prompt = priors(profile), list(zip(*qualities(profile), strict=True))
    rows = []
    for level, values in zip(profile.ladder, by_prompt, strict=True):
        if level.skipped_steps:
            continue
        deviation = stdev(values) if len(values) > 1 else 0.0
        enough = sum(v >= 0.95 for v in values) / len(values)
        rows.append(
            (level.name, f"{means[level.name]:.3f}", f"{deviation:.3f}", f"{100 * enough:.0f} %")
        )
    head = ("level", "mean", "deviation over prompts", "prompts of 0.95 or more")
    return Sheet(title="Quality", head=head, rows=tuple(rows))


def _starts(profile: ArgusProfile) -> Sheet:
    by_relation: dict[tuple[str, str], list[float]] = defaultdict(list)
    for start, quality in started(profile):
        by_relation[start.level, start.relation].append(quality)
    levels = [level.name for level in profile.ladder if level.skipped_steps]
    rows = tuple(
        (level, *(_mean(by_relation[level, relation]) for relation in RELATIONS))
        for level in levels
    )
    title = "Quality of cached starts, by what the latent was drawn for"
    return Sheet(
        title=title, head=("level", "the same prompt", "a near one", "a far one"), rows=rows
    )


def _timing(timing: Timing | None) -> str:
    if timing is None:
        return _NOWHERE
    return f"{1000 * timing.seconds:.1f} ± {1000 * timing.deviation:.1f}"


def _mean(values: list[float]) -> str:
    if not values:
        return _NOWHERE
    deviation = stdev(values) if len(values) > 1 else 0.0
    return f"{fmean(values):.3f} ± {deviation:.3f} ({len(values)})"


def _row(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cells)} |"
