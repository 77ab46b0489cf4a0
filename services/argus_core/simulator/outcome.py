"""What became of every request of a run, and of the workers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from argus_core.policies.policy import Duty
from argus_core.simulator.scenario import Floats


class State(IntEnum):
    """How a request ended."""

    IN_TIME = 0
    LATE = 1
    """Drawn after its deadline."""
    DROPPED = 2
    """Taken, and given up while it waited."""
    REFUSED = 3
    """Refused on arrival, the last time it came."""
    LOST = 4
    """Its worker was lost, and nobody else could serve it in time."""


@dataclass(frozen=True, kw_only=True)
class Shift:
    """What the workers hold from some moment on."""

    at: float
    duties: tuple[Duty | None, ...]
    """By worker; None for one that is lost or loading."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """A run's result. Arrays are by request, in the scenario's order."""

    policy: str
    state: NDArray[np.uint8]
    level: NDArray[np.int16]
    """Level of the image that was delivered; -1 for none."""
    finished: Floats
    """When it was; NaN for never."""
    tries: NDArray[np.uint8]
    """How often the client came."""
    first_refused: NDArray[np.bool_]
    """Whether it was refused when it first came."""
    busy_seconds: float
    """GPU time spent drawing, over all workers."""
    switching_seconds: float
    """GPU time spent loading."""
    switches: int
    """Workers that loaded something, counted each time."""
    shifts: tuple[Shift, ...]
    """In order of time; the first at 0."""
    seconds: float
    """That the run took, on the caller's clock."""
