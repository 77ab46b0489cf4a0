"""Numbers as Grafana writes them, by the unit that a panel names."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

_TIMES = ((60.0, 1.0, "s"), (3600.0, 60.0, "mins"), (86_400.0, 3600.0, "hours"))


def unit(name: str) -> Callable[[float], str]:
    """How Grafana writes numbers of a unit."""
    return _UNITS[name]


def _short(value: float) -> str:
    return _scaled(value, 1000.0, ("", " K", " Mil", " Bil"))


def _seconds(value: float) -> str:
    if value and abs(value) < 1:
        if abs(value) < 1e-3:
            return f"{_digits(1e6 * value)} µs"
        return f"{_digits(1000 * value)} ms"
    for most, length, word in _TIMES:
        if abs(value) < most:
            return f"{_digits(value / length)} {word}"
    return f"{_digits(value / 86_400)} days"


def _scaled(value: float, base: float, words: Sequence[str]) -> str:
    steps = 0
    while abs(value) >= base and steps < len(words) - 1:
        value, steps = value / base, steps + 1
    return f"{_digits(value)}{words[steps]}"


def _digits(value: float) -> str:
    if not math.isfinite(value):
        return "-"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def clock(at: float) -> str:
    """A time of day, UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")


_UNITS: dict[str, Callable[[float], str]] = {
    "short": _short,
    "none": _digits,
    "s": _seconds,
    "bytes": lambda value: _scaled(value, 1024.0, (" B", " KiB", " MiB", " GiB", " TiB")),
    "percentunit": lambda value: f"{_digits(100 * value)}%",
    "reqps": lambda value: f"{_short(value)} req/s",
    "cps": lambda value: f"{_short(value)} c/s",
}
