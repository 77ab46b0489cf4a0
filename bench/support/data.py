"""Recorded data: where they are, how they are read, and what to say when they are not there.

Files are read once in a process; nobody may change what was read.
"""

from __future__ import annotations

import csv
import os
from functools import lru_cache
from pathlib import Path

import numpy as np

from argus_cli.simulate.traces import Trace, read_trace
from argus_core.simulator.arrivals import LOOKALIKES, compressed, poisson, thinned
from argus_core.simulator.scenario import Floats, Ints

DEFAULT = Path(__file__).resolve().parents[3] / "shared" / "data"
VARIABLE = "ARGUS_DATA"
LOOKALIKE = ", look-alike"
"""Ends the name of a scenario that does not rest on recorded data alone."""


def folder(given: Path | None = None) -> Path:
    """Where recorded data are: the folder given, or `ARGUS_DATA`, or beside the repository."""
    return given or Path(os.environ.get(VARIABLE) or DEFAULT)


def named(name: str, *paths: Path) -> str:
    """A scenario's name, which says so where any of the files that it wants is absent."""
    return name if all(path.exists() for path in paths) else name + LOOKALIKE


def column(path: Path, name: str) -> Floats | None:
    """Numbers of a CSV file's column; None where there is no such file."""
    return _column(path, name) if path.exists() else None


def trace(path: Path, lookalike: str, rng: np.random.Generator) -> Trace:
    """What was recorded, or else the look-alike's curve."""
    return _trace(path) if path.exists() else curve(*LOOKALIKES[lookalike](rng))


def arrivals(
    given: Trace, *, rate: float | None, step: float, rng: np.random.Generator
) -> tuple[Floats, Ints | None]:
    """Arrivals at a mean rate, over the time that the trace takes.

    Recorded arrivals are thinned to a lower rate. For a higher one there are not enough of them:
    they are drawn anew, by a Poisson process along what was counted.

    Args:
        given: recorded arrivals or a curve.
        rate: requests a second; None for as recorded.
        step: seconds over which recorded arrivals are counted.
        rng: what is left to chance comes from it.

    Returns:
        Seconds, rising, and the prompts' numbers where they are as recorded.
    """
    recorded = given.arrivals
    if recorded is not None:
        seconds = float(recorded[-1])
        share = 1.0 if rate is None else rate * seconds / len(recorded)
        if share <= 1:
            kept = thinned(np.arange(len(recorded), dtype=np.float64), share, rng).astype(np.int64)
            ids = given.prompt_ids
            return recorded[kept], None if ids is None else ids[kept]
        rates = np.bincount((recorded / step).astype(np.int64)) / step
    else:
        assert given.rates is not None, "a trace without arrivals has rates"
        rates, step = given.rates, given.step
    scale = 1.0 if rate is None else rate / rates.mean()
    return poisson(rates * scale, step, rng), None


def hastened(given: Trace, seconds: float) -> Trace:
    """The same trace in so many seconds from its first to its last request."""
    if given.arrivals is not None:
        since = given.arrivals - given.arrivals[0]
        found = compressed(since, float(since[-1]) / seconds)
        return Trace(arrivals=found, rates=None, step=0.0, prompt_ids=given.prompt_ids)
    assert given.rates is not None, "a trace without arrivals has rates"
    factor = len(given.rates) * given.step / seconds
    return curve(given.rates * factor, given.step / factor)


def curve(rates: Floats, step: float) -> Trace:
    """A curve of rates, requests a second, each for a step in seconds."""
    return Trace(arrivals=None, rates=rates, step=step, prompt_ids=None)


@lru_cache(maxsize=32)
def _column(path: Path, name: str) -> Floats:
    with path.open(encoding="utf-8", newline="") as file:
        found = np.array([float(row[name]) for row in csv.DictReader(file)])
    found.setflags(write=False)
    return found


@lru_cache(maxsize=8)
def _trace(path: Path) -> Trace:
    return read_trace(str(path), path)
