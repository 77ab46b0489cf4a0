"""Keeps plans from moving workers back and forth: after one reversal none for a while.

A variant's count reverses when it moves against its move before. Who has just reversed is held
from reversing again: its count may go on, or stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from argus_core.planning.problem import Limits


@dataclass
class _Trail:
    count: int
    rising: bool | None = None
    """Direction of the last move; None before any."""
    reversed_at: float = -inf


class Reversals:
    """Hears of every plan's counts; time is passed in."""

    def __init__(self, *, memory: float) -> None:
        self._memory = memory
        """For so long after a reversal there shall be no other."""
        self._trails: dict[str, _Trail] = {}

    def took(self, counts: Mapping[str, int], now: float) -> None:
        """So many workers are to hold each variant; all variants are named."""
        for variant, count in counts.items():
            trail = self._trails.setdefault(variant, _Trail(count))
            if count == trail.count:
                continue
            rising = count > trail.count
            if trail.rising is not None and rising != trail.rising:
                trail.reversed_at = now
            trail.count, trail.rising = count, rising

    def limits(self, now: float) -> dict[str, Limits]:
        """What the next plan must keep to."""
        return {
            variant: Limits(minimum=trail.count) if trail.rising else Limits(maximum=trail.count)
            for variant, trail in self._trails.items()
            if now - trail.reversed_at <= self._memory
        }
