"""A run over time, bucket by bucket: what plots show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from argus_core.errors import InvalidRequest
from argus_core.simulator.outcome import Outcome, Shift, State
from argus_core.simulator.scenario import Floats, Scenario
from argus_core.simulator.summary import delivered_quality

_MOST = 100_000
"""Buckets."""
IDLE = "loading or lost"
"""Workers that hold nothing to serve with."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Series:
    """A run by bucket of the time at which requests arrive. Arrays are all of one length."""

    policy: str
    bucket: float
    """Seconds."""
    start: Floats
    """Of each bucket, in seconds."""
    load: Floats
    """Requests a minute."""
    in_time: Floats
    """Requests a minute delivered in time."""
    violations: Floats
    """Requests a minute not delivered in time, for whatever reason."""
    quality: Floats
    """Mean true quality of what was delivered, 0 to 1; NaN where nothing was."""
    workers: Mapping[str, Floats]
    """By variant, in the ladder's order, then `IDLE`: mean workers that hold it; one that holds
    several counts in equal parts."""


def series_of(scenario: Scenario, outcome: Outcome, *, bucket: float = 60.0) -> Series:
    """Tell a run over time.

    Args:
        scenario: what the run rested on.
        outcome: what became of it.
        bucket: seconds, above 0.

    Raises:
        InvalidRequest: the bucket is no time, or there would be too many.
    """
    if not bucket > 0:
        raise InvalidRequest.one("bucket", f"must be above 0, not {bucket}")
    arrivals = scenario.arrivals
    end = float(arrivals[-1]) if len(arrivals) else 0.0
    if end / bucket > _MOST:
        raise InvalidRequest.one("bucket", f"of {bucket:g} s gives more than {_MOST:,} of them")
    # The last bucket ends with the run, half a bucket early to half a bucket late.
    count = max(1, int(end / bucket + 0.5))
    at = np.minimum((arrivals / bucket).astype(np.int64), count - 1)
    start = np.arange(count, dtype=np.float64) * bucket
    edges = np.append(start, end or bucket)
    minutes = np.diff(edges) / 60
    timely = outcome.state == State.IN_TIME
    delivered = outcome.level >= 0
    quality = np.bincount(at, delivered_quality(scenario, outcome), count)
    images = np.bincount(at[delivered], minlength=count)
    return Series(
        policy=outcome.policy,
        bucket=bucket,
        start=start,
        load=np.bincount(at, minlength=count) / minutes,
        in_time=np.bincount(at[timely], minlength=count) / minutes,
        violations=np.bincount(at[~timely], minlength=count) / minutes,
        quality=np.where(images > 0, quality / np.maximum(images, 1), np.nan),
        workers=_workers(scenario, outcome.shifts, edges),
    )


def _workers(scenario: Scenario, shifts: tuple[Shift, ...], edges: Floats) -> dict[str, Floats]:
    """Mean workers of each variant between neighbouring edges."""
    names = [*dict.fromkeys(level.variant for level in scenario.levels), IDLE]
    held = np.array([_held(names, shift) for shift in shifts]).reshape(-1, len(names))
    times = np.array([shift.at for shift in shifts])
    # Worker seconds up to a moment are straight between shifts; a bucket is their difference.
    sums = np.vstack([np.zeros(len(names)), np.cumsum(held[:-1] * np.diff(times)[:, None], axis=0)])
    last = np.maximum(np.searchsorted(times, edges, side="right") - 1, 0)
    until = sums[last] + held[last] * (edges - times[last])[:, None]
    mean = np.diff(until, axis=0) / np.diff(edges)[:, None]
    return {name: mean[:, i] for i, name in enumerate(names) if mean[:, i].any() or name != IDLE}


def _held(names: list[str], shift: Shift) -> list[float]:
    counts = dict.fromkeys(names, 0.0)
    for duty in shift.duties:
        loadout = (duty.loadout if duty is not None else ()) or (IDLE,)
        for variant in loadout:
            counts[variant] += 1 / len(loadout)
    return [counts[name] for name in names]
