"""Reads when requests come: from a recorded trace, or from the name of a look-alike."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np

from argus_core.errors import InvalidRequest
from argus_core.simulator.arrivals import LOOKALIKES, compressed, poisson, thinned
from argus_core.simulator.scenario import Floats, Ints

_MOST = 20_000_000
"""Rows; more would not fit a run."""
_MINUTE = 60.0
_RATE = "requests_per_minute"

_Row = dict[str, str]


@dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """What a file says: arrivals one by one, or the rates of a curve."""

    arrivals: Floats | None
    """Seconds, rising, 0 or more; None for a curve."""
    rates: Floats | None
    """Requests a second, each for one step; None for single arrivals."""
    step: float
    """Seconds of a step; 0 for single arrivals."""
    prompt_ids: Ints | None
    """By arrival, 0 or more; None where the file names none."""


def read_trace(option: str, path: Path) -> Trace:
    """Read a CSV file of arrivals or of rates.

    It has a column `arrival_s` of seconds in any order, and may have one `prompt_id`; or columns
    `minute`, counting from any minute by 1, and `requests_per_minute`. Others are let be.

    Raises:
        InvalidRequest: naming the option, and the file's line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            return _Reader(option, path, rows).trace()
    except OSError as error:
        problem = f"{path}: {error.strerror or 'cannot be read'}"
        raise InvalidRequest.one(option, problem) from error
    except UnicodeDecodeError as error:
        raise InvalidRequest.one(option, f"{path}: must be UTF-8") from error
    except csv.Error as error:
        raise InvalidRequest.one(option, f"{path}: must be CSV: {error}") from error


def arrivals_of(
    option: str,
    given: str,
    *,
    rate: float | None,
    duration: float | None,
    rng: np.random.Generator,
) -> tuple[Floats, Ints | None]:
    """Arrivals of a trace or a look-alike, at the load and for the time asked for.

    Args:
        option: how errors call it.
        given: a look-alike's name, or a file's path.
        rate: mean requests a second of the whole trace. A curve is scaled; recorded arrivals are
            thinned to a lower rate and pressed into less time for a higher one. None for as it is.
        duration: seconds after which it is cut off. A trace that ends sooner ends sooner; a
            look-alike begins anew. None for all of it.
        rng: what is left to chance comes from it.

    Returns:
        Seconds, rising, and by arrival the prompt's number where the trace names one.

    Raises:
        InvalidRequest: naming the option, or `--rate` or `--duration`.
    """
    _require_positive("--rate", rate)
    _require_positive("--duration", duration)
    if given in LOOKALIKES:
        rates, step = LOOKALIKES[given](rng)
        trace = Trace(arrivals=None, rates=rates, step=step, prompt_ids=None)
        found = _along(option, trace, rate, duration, rng, anew=True)
    else:
        trace = _read(option, given)
        if trace.arrivals is None:
            found = _along(option, trace, rate, duration, rng, anew=False)
        else:
            found = _recorded(trace.arrivals, trace.prompt_ids, rate, rng)
    arrivals, prompt_ids = found
    if duration is not None:
        kept = arrivals < duration
        arrivals = arrivals[kept]
        prompt_ids = None if prompt_ids is None else prompt_ids[kept]
    if not len(arrivals):
        raise InvalidRequest.one(option, f"{given}: not one request comes in that time")
    return arrivals, prompt_ids


def _read(option: str, given: str) -> Trace:
    path = Path(given)
    if not path.exists() and path.suffix != ".csv":
        known = ", ".join(LOOKALIKES)
        raise InvalidRequest.one(option, f"there is no file {given!r}, nor a look-alike: {known}")
    return read_trace(option, path)


def _require_positive(option: str, value: float | None) -> None:
    if value is not None and not (isfinite(value) and value > 0):
        raise InvalidRequest.one(option, f"must be above 0, not {value:g}")


def _along(
    option: str,
    trace: Trace,
    rate: float | None,
    duration: float | None,
    rng: np.random.Generator,
    *,
    anew: bool,
) -> tuple[Floats, Ints | None]:
    """Arrivals along a curve."""
    rates = trace.rates
    assert rates is not None, "a trace without arrivals has rates"
    if rate is not None:
        if not rates.any():
            raise InvalidRequest.one("--rate", "cannot be reached: the curve has no load at all")
        rates = rates * (rate / rates.mean())
    if duration is not None:
        steps = max(1, int(np.ceil(min(duration / trace.step, _MOST))))
        rates = np.resize(rates, steps) if anew else rates[:steps]
    try:
        return poisson(rates, trace.step, rng), None
    except InvalidRequest as error:
        raise InvalidRequest.one(option, f"rates {error.violations[0].problem}") from error


def _recorded(
    arrivals: Floats, prompt_ids: Ints | None, rate: float | None, rng: np.random.Generator
) -> tuple[Floats, Ints | None]:
    """Recorded arrivals, from the first on, at the rate asked for."""
    if rate is None:
        return arrivals, prompt_ids
    seconds = arrivals[-1] - arrivals[0]
    if not seconds > 0:
        raise InvalidRequest.one("--rate", "cannot be reached: all requests come at one moment")
    factor = rate * seconds / len(arrivals)
    if factor >= 1:
        return compressed(arrivals, factor), prompt_ids
    kept = thinned(np.arange(len(arrivals), dtype=np.float64), factor, rng).astype(np.int64)
    return arrivals[kept], None if prompt_ids is None else prompt_ids[kept]


class _Reader:
    """One file; errors name its line."""

    def __init__(self, option: str, path: Path, rows: csv.DictReader[str]) -> None:
        self._option, self._path, self._rows = option, path, rows
        self._header = rows.fieldnames or []

    def trace(self) -> Trace:
        """What the file says, by the columns it has."""
        if "arrival_s" in self._header:
            return self._single()
        if {"minute", _RATE} <= set(self._header):
            return self._curve()
        raise self._wrong(f"has no column 'arrival_s', nor 'minute' and '{_RATE}'")

    def _single(self) -> Trace:
        named = "prompt_id" in self._header
        arrivals, prompt_ids = [], []
        for row in self._each():
            arrivals.append(self._number(row, "arrival_s"))
            if named:
                prompt_ids.append(self._whole(row, "prompt_id"))
        at = np.array(arrivals)
        order = np.argsort(at, kind="stable")
        ids = np.array(prompt_ids, dtype=np.int64)[order] if named else None
        return Trace(arrivals=at[order], rates=None, step=0.0, prompt_ids=ids)

    def _curve(self) -> Trace:
        rates: list[float] = []
        first = 0
        for row in self._each():
            minute = self._whole(row, "minute")
            first = first if rates else minute
            if minute != first + len(rates):
                raise self._at(f"minute must be {first + len(rates)}, not {minute}")
            rates.append(self._number(row, _RATE) / _MINUTE)
        return Trace(arrivals=None, rates=np.array(rates), step=_MINUTE, prompt_ids=None)

    def _each(self) -> Iterator[_Row]:
        count = 0
        for row in self._rows:
            count += 1
            if count > _MOST:
                raise self._wrong(f"must have no more than {_MOST:,} rows")
            yield row
        if not count:
            raise self._wrong("must have one or more rows")

    def _number(self, row: _Row, column: str) -> float:
        try:
            value = float(row[column])
        except (TypeError, ValueError) as error:
            raise self._at(f"{column} is not a number") from error
        if not (isfinite(value) and value >= 0):
            raise self._at(f"{column} must be 0 or more, not {value}")
        return value

    def _whole(self, row: _Row, column: str) -> int:
        value = self._number(row, column)
        if value != int(value) or value > _MOST:
            raise self._at(f"{column} must be a whole number up to {_MOST:,}, not {value:g}")
        return int(value)

    def _wrong(self, problem: str) -> InvalidRequest:
        return InvalidRequest.one(self._option, f"{self._path} {problem}")

    def _at(self, problem: str) -> InvalidRequest:
        where = f"{self._path}, line {self._rows.line_num}"
        return InvalidRequest.one(self._option, f"{where}: {problem}")
