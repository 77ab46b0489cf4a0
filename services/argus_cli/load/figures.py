"""A load in figures. Pure: records in, figures out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from argus_cli.load.record import DROPPED, OK, Record

QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.999)
_REFUSED = "RESOURCE_EXHAUSTED"


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Of some requests. Seconds count from when a request should have been sent."""

    requests: int
    delivered: int
    in_time: int
    """Delivered within their deadline."""
    refused: int
    """Turned away for want of capacity."""
    failed: int
    """Ended otherwise."""
    dropped: int
    """Never sent, as too many were under way."""
    violations: float
    """Share of the requests not delivered in time, for whatever reason."""
    goodput: float
    """Delivered in time, a second of the load."""
    seconds: Mapping[str, float]
    """Latency of what was delivered, by quantile, such as `p99`."""
    refusal_seconds: Mapping[str, float]
    """Of what was refused, from when it was sent."""
    quality: float | None
    """Mean predicted quality of what was delivered; None for nothing."""
    codes: Mapping[str, int]
    levels: Mapping[str, int]
    """What was delivered, by level."""
    level_quality: Mapping[str, float]
    """Mean predicted quality, by level."""
    lag: Mapping[str, float]
    """Seconds by which the generator itself was late, by quantile."""
    tries: int
    """Times that something delivered was begun, the first times left out."""


def figures(records: Sequence[Record], *, duration: float) -> Figures:
    """The figures of a load that lasted so many seconds."""
    delivered = [r for r in records if r.code == OK]
    refused = [r for r in records if r.code == _REFUSED]
    dropped = sum(r.code == DROPPED for r in records)
    in_time = sum(r.in_time for r in records)
    by_level: dict[str, list[float]] = defaultdict(list)
    for record in delivered:
        by_level[record.level].append(record.quality or 0.0)
    return Figures(
        requests=len(records),
        delivered=len(delivered),
        in_time=in_time,
        refused=len(refused),
        failed=len(records) - len(delivered) - len(refused) - dropped,
        dropped=dropped,
        violations=1 - in_time / len(records) if records else 0.0,
        goodput=in_time / duration if duration > 0 else 0.0,
        seconds=_quantiles([r.latency for r in delivered if r.latency is not None]),
        refusal_seconds=_quantiles(
            [r.last - r.sent for r in refused if r.last is not None and r.sent is not None]
        ),
        quality=fmean(r.quality or 0.0 for r in delivered) if delivered else None,
        codes=dict(Counter(r.code for r in records).most_common()),
        levels={level: len(found) for level, found in _most_first(by_level)},
        level_quality={level: fmean(found) for level, found in _most_first(by_level)},
        lag=_quantiles([r.sent - r.intended for r in records if r.sent is not None]),
        tries=sum(max(0, r.attempts - 1) for r in delivered),
    )


def by_tenant(records: Sequence[Record], *, duration: float) -> dict[str, Figures]:
    """The same for each tenant."""
    found: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        found[record.tenant].append(record)
    return {name: figures(theirs, duration=duration) for name, theirs in sorted(found.items())}


def _most_first(by_level: Mapping[str, list[float]]) -> list[tuple[str, list[float]]]:
    return sorted(by_level.items(), key=lambda each: (-len(each[1]), each[0]))


def _quantiles(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {}
    found = np.quantile(values, QUANTILES)
    return {f"p{100 * q:g}": float(v) for q, v in zip(QUANTILES, found, strict=True)}
