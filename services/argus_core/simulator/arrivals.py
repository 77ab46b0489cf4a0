"""When requests come: Poisson arrivals along a curve, traces thinned or compressed, look-alikes.

A curve is rates, in requests a second, and the seconds that each lasts. Look-alikes resemble
recorded traces in length, mean, peak and how long a high or low load lasts; they are made from
formulas, so that every command also runs where the traces are not at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite

import numpy as np

from argus_core.errors import InvalidRequest
from argus_core.simulator.scenario import Floats, Ints

_MOST = 20_000_000
"""Arrivals of one curve; more would not fit a run."""

Curve = tuple[Floats, float]
"""Rates, in requests a second, and the seconds that each lasts."""

BURSTS = ((135, 265), (395, 530), (655, 790))
"""Minutes at which the paper's bursts start and end."""


def poisson(rates: Floats, step: float, rng: np.random.Generator) -> Floats:
    """Arrivals of a Poisson process along a curve.

    Args:
        rates: requests a second, 0 or more; each lasts one step.
        step: seconds, above 0.
        rng: what is left to chance comes from it.

    Returns:
        Seconds from the curve's start, rising; none where there is no load.

    Raises:
        InvalidRequest: naming the field.
    """
    _require_positive("step", step)
    if rates.ndim != 1 or not (np.isfinite(rates) & (rates >= 0)).all():
        raise InvalidRequest.one("rates", "must be a list of numbers that are 0 or more")
    if rates.sum() * step > _MOST:
        raise InvalidRequest.one("rates", f"give more than {_MOST:,} arrivals")
    counts = rng.poisson(rates * step)
    at = np.repeat(np.arange(len(rates)), counts) + rng.random(counts.sum())
    return np.sort(at) * step


def counted(counts: Ints, step: float, rng: np.random.Generator, *, times: float = 1.0) -> Floats:
    """As many arrivals in each step as were counted, at random moments within it.

    Args:
        counts: arrivals, 0 or more; each of one step.
        step: seconds, above 0.
        rng: moments come from it, and which step gets one more where `times` gives a fraction.
        times: what counts are multiplied by, 0 or more.

    Returns:
        Seconds from the first step's start, rising.

    Raises:
        InvalidRequest: naming the field.
    """
    _require_positive("step", step)
    if counts.ndim != 1 or (counts < 0).any():
        raise InvalidRequest.one("counts", "must be a list of numbers that are 0 or more")
    if not 0 <= times * counts.sum() <= _MOST:
        raise InvalidRequest.one("counts", f"give more than {_MOST:,} arrivals, or fewer than none")
    scaled = np.floor(counts * times + rng.random(len(counts))).astype(np.int64)
    at = np.repeat(np.arange(len(scaled)), scaled) + rng.random(scaled.sum())
    return np.sort(at) * step


def thinned(arrivals: Floats, share: float, rng: np.random.Generator) -> Floats:
    """Each arrival is kept with a probability.

    Raises:
        InvalidRequest: the share is not 0 to 1.
    """
    if not 0 <= share <= 1:
        raise InvalidRequest.one("share", f"must be 0 to 1, not {share}")
    return np.asarray(arrivals[rng.random(len(arrivals)) < share])


def compressed(arrivals: Floats, factor: float) -> Floats:
    """The same arrivals in a time shorter by a factor.

    Raises:
        InvalidRequest: the factor is not above 0.
    """
    _require_positive("factor", factor)
    return arrivals / factor


def _require_positive(field: str, value: float) -> None:
    if not (isfinite(value) and value > 0):
        raise InvalidRequest.one(field, f"must be above 0, not {value}")


def _bursty(rng: np.random.Generator) -> Curve:
    """The paper's square wave: 53 requests a minute, three bursts of 391, 14 hours."""
    del rng
    minute = np.arange(840)
    burst = np.any([(minute >= start) & (minute < end) for start, end in BURSTS], axis=0)
    return np.where(burst, 391.0, 53.0) / 60, 60.0


def _azure(rng: np.random.Generator) -> Curve:
    """One hump: 348 s, mean 19, a peak of 31 somewhat past the middle."""
    time = np.linspace(0, 1, 348)
    hump = 4 + 25 * np.sin(0.93 * np.pi * time**1.3)
    return hump * np.exp(_wander(rng, len(time), memory=0.8, spread=0.07)), 1.0


def _twitter(rng: np.random.Generator) -> Curve:
    """A high and a low hump: 291 s, mean 259, seconds of up to four times that."""
    time = np.arange(291)
    humps = 98 + 630 * _bell(time, 92, 22) + 220 * _bell(time, 232, 20)
    return humps * np.exp(_wander(rng, len(time), memory=0.3, spread=0.18)), 1.0


def _gentd(rng: np.random.Generator) -> Curve:
    """Office hours: 17 days by the hour, mean 41 an hour, at most nine times that.

    Nearly all comes within some ten hours of a working day; two weekends and the first days are
    quiet.
    """
    hour = np.arange(419)
    day, time = hour // 24, hour % 24
    office = _bell(time, 3, 2.0) + 0.8 * _bell(time, 8, 2.2)
    quiet = (day < 3) | (day % 7 >= 5)
    height = np.where(quiet, 10.0, 175.0) * rng.lognormal(-0.02, 0.2, 18)[day]
    rates = 2 + height * office * np.exp(_wander(rng, len(hour), memory=0.2, spread=0.45))
    return rates / 3600, 3600.0


def _day(rng: np.random.Generator) -> Curve:
    """24 hours about 40 a second: a trough of 16 in the night, a peak of 64, gusts of minutes."""
    time = np.arange(1440) / 1440
    wave = 40 * (1 - 0.6 * np.cos(2 * np.pi * (time - 0.125)))
    return wave * np.exp(_wander(rng, len(time), memory=0.9, spread=0.05)), 60.0


def _constant(rng: np.random.Generator) -> Curve:
    """An hour at 10 a second."""
    del rng
    return np.full(60, 10.0), 60.0


def _bell(at: Ints, middle: float, width: float) -> Floats:
    """A hump of height 1."""
    return np.asarray(np.exp(-(((at - middle) / width) ** 2) / 2))


def _wander(rng: np.random.Generator, count: int, *, memory: float, spread: float) -> Floats:
    """Numbers about 0 with a standard deviation; each remembers a share of the one before."""
    fresh = rng.standard_normal(count) * spread
    found = np.empty(count)
    last = fresh[0]
    for i, value in enumerate(fresh):
        last = memory * last + np.sqrt(1 - memory**2) * value if i else value
        found[i] = last
    return found - spread**2 / 2


LOOKALIKES: Mapping[str, Callable[[np.random.Generator], Curve]] = {
    "bursty": _bursty,
    "azure": _azure,
    "twitter": _twitter,
    "gentd": _gentd,
    "day": _day,
    "constant": _constant,
}
"""Curves by name."""
