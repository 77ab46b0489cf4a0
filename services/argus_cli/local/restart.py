"""Whether a child that died is started again, and when. Pure: times come in as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class RestartPolicy:
    """How much dying is put up with."""

    first_delay: float = 0.25
    """Seconds before the first restart: short, for most deaths come alone."""
    factor: float = 2.0
    """Each further death within the window multiplies the delay by this."""
    longest_delay: float = 10.0
    """Seconds; the delay grows no further."""
    deaths: int = 5
    """Deaths within the window after which the child counts as not to be kept alive."""
    window: float = 60.0
    """Seconds that a death is held against a child."""
    start_deaths: int = 2
    """The same for a child that never came up: its reason will not go away by itself."""


def restart_delay(deaths: Sequence[float], *, policy: RestartPolicy, came_up: bool) -> float | None:
    """Seconds to wait after the last of `deaths` (ascending times); None to give up."""
    recent = recent_deaths(deaths, policy=policy)
    if recent >= (policy.deaths if came_up else policy.start_deaths):
        return None
    return min(policy.first_delay * policy.factor ** (recent - 1), policy.longest_delay)


def recent_deaths(deaths: Sequence[float], *, policy: RestartPolicy) -> int:
    """How many of `deaths` lie within the window that ends with the last."""
    return sum(1 for time in deaths if time > deaths[-1] - policy.window)
