"""A load that leaps between two turns of the control loop, and workers that can follow it.

Where workers load a variant well within the time that a request may wait, a plan is worth making
for a burst of seconds, and costs little to undo. Where loading takes longer, the burst may be over
before anybody serves; there plans are made for the greatest load of the last minutes, and wait for
their turn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import sqrt

from argus_core.planning.bursts import surely

GLANCE = 0.1
"""Of the time between two turns: how often, and over what time at least, a leap is looked for."""
_NIMBLE = 0.25
"""Of the deadline: what loading may take, so that whoever waits for it is in time nevertheless."""
_SPANS = (1, 2, 4)
"""Glances over which arrivals are counted: a great leap shows at once, a smaller one later."""
_MORE = 1.1
"""Times what is planned for; less does not make a new plan."""
_SURE = 3.0
"""Standard deviations of a Poisson count that are not chance."""


def nimble(switch_seconds: Mapping[str, float], deadline: float) -> bool:
    """Whether a worker loads whatever variant in a small part of the time that a request has.

    Not where nothing is known of loading.
    """
    return bool(switch_seconds) and max(switch_seconds.values()) <= _NIMBLE * deadline


def leap(arrivals: Callable[[float], float], planned: float, glance: float) -> float:
    """Images a second of the last few glances, where they surely exceed the plan; 0 elsewhere.

    No more than is sure: for what comes besides, other glances will call.

    Args:
        arrivals: how many came within the last so many seconds.
        planned: images a second that the plan was made for.
        glance: seconds.
    """
    found = 0.0
    for span in _SPANS:
        seconds = span * glance
        count, usual = arrivals(seconds), _MORE * planned * seconds
        if count - usual > _SURE * sqrt(usual + 1):
            found = max(found, surely(count, seconds))
    return found
