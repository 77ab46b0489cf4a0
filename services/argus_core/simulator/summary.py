"""What is told of a run: figures over all its requests, or over those of chosen stretches.

Quality is always the scenario's truth, never a prediction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from argus_core.errors import InvalidRequest, Violation
from argus_core.simulator.outcome import Outcome, State
from argus_core.simulator.scenario import Floats, Scenario

Stretch = tuple[float, float]
"""Seconds from (counted) and to (not counted)."""
Bools = NDArray[np.bool_]

_WORST = 10
"""One request in so many is of the worst decile."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A run in figures; None where there is nothing to take a mean of. Shares are of requests."""

    policy: str
    requests: int
    minutes: float
    """Time in which they came: that of the stretches, or until the last arrival."""
    in_time: int
    in_time_per_minute: float
    """The goodput."""
    violations: float
    """Share not delivered in time, for whatever reason."""
    violations_per_minute: float
    late: float
    """Share delivered after the deadline."""
    dropped: float
    """Share taken, and given up while it waited."""
    refused: float
    """Share refused on arrival, and not taken later."""
    lost: float
    """Share lost with a worker."""
    quality: float | None
    """Mean of what was delivered, 0 to 1."""
    quality_in_time: float | None
    """Mean of what was delivered in time, 0 to 1."""
    quality_worst_decile: float | None
    """Mean of the worst tenth of what was delivered, 0 to 1."""
    value: float | None
    """Mean over all requests, a violation counting as 0."""
    latency_p50: float | None
    """Seconds from arrival, of what was delivered."""
    latency_p99: float | None
    """Seconds from arrival, of what was delivered."""
    admitted_on_retry: float | None
    """Of those refused at first that came again: share taken then."""
    switching_seconds: float
    """GPU time spent loading, over the whole run."""
    switches: int
    """Workers that loaded, counted each time, over the whole run."""
    utilisation: float
    """Share of the GPUs' time spent drawing, over the whole run."""
    seconds: float
    """That the simulation took, on the caller's clock."""


def summarise(
    scenario: Scenario, outcome: Outcome, *, within: Sequence[Stretch] | None = None
) -> Summary:
    """Tell a run in figures.

    Args:
        scenario: what the run rested on.
        outcome: what became of it.
        within: only requests that arrive in one of these stretches, in seconds; None for all.

    Raises:
        InvalidRequest: naming every stretch that does not end after it starts.
    """
    chosen, minutes = _chosen(scenario.arrivals, within)
    state = outcome.state[chosen]
    quality = delivered_quality(scenario, outcome)[chosen]
    delivered = outcome.level[chosen] >= 0
    timely = state == State.IN_TIME
    requests, in_time = len(state), int(timely.sum())
    latency = (outcome.finished - scenario.arrivals)[chosen][delivered]
    return Summary(
        policy=outcome.policy,
        requests=requests,
        minutes=minutes,
        in_time=in_time,
        in_time_per_minute=_over(in_time, minutes),
        violations=_over(requests - in_time, requests),
        violations_per_minute=_over(requests - in_time, minutes),
        late=_share(state, State.LATE),
        dropped=_share(state, State.DROPPED),
        refused=_share(state, State.REFUSED),
        lost=_share(state, State.LOST),
        quality=_mean(quality[delivered]),
        quality_in_time=_mean(quality[timely]),
        quality_worst_decile=_worst(quality[delivered]),
        value=_mean(np.where(timely, quality, 0.0)),
        latency_p50=_quantile(latency, 0.5),
        latency_p99=_quantile(latency, 0.99),
        admitted_on_retry=_admitted(outcome, chosen),
        switching_seconds=outcome.switching_seconds,
        switches=outcome.switches,
        utilisation=_utilisation(scenario, outcome),
        seconds=outcome.seconds,
    )


def delivered_quality(scenario: Scenario, outcome: Outcome) -> Floats:
    """True quality of each request's image, 0 where none was delivered."""
    at = np.maximum(outcome.level, 0)
    truth: Floats = scenario.prompts.truth[scenario.prompt_of, at]
    return np.where(outcome.level >= 0, truth, 0.0)


def _chosen(arrivals: Floats, within: Sequence[Stretch] | None) -> tuple[Bools, float]:
    """Which requests count, and the minutes in which they came."""
    if within is None:
        return np.ones(len(arrivals), dtype=bool), float(arrivals[-1]) / 60 if len(arrivals) else 0
    wrong = [
        Violation(f"within[{i}]", f"must end after it starts, not {start} to {end}")
        for i, (start, end) in enumerate(within)
        if not start < end
    ]
    if wrong:
        raise InvalidRequest(wrong)
    chosen = np.zeros(len(arrivals), dtype=bool)
    seconds, reached = 0.0, -np.inf
    for start, end in sorted(within):
        chosen |= (arrivals >= start) & (arrivals < end)
        seconds += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return chosen, seconds / 60


def _over(count: float, whole: float) -> float:
    return count / whole if whole > 0 else 0.0


def _share(state: NDArray[np.uint8], which: State) -> float:
    return _over(int((state == which).sum()), len(state))


def _mean(values: Floats) -> float | None:
    return float(values.mean()) if len(values) else None


def _quantile(values: Floats, share: float) -> float | None:
    return float(np.quantile(values, share)) if len(values) else None


def _worst(quality: Floats) -> float | None:
    if not len(quality):
        return None
    count = -(-len(quality) // _WORST)
    return float(np.partition(quality, count - 1)[:count].mean())


def _admitted(outcome: Outcome, chosen: Bools) -> float | None:
    again = chosen & outcome.first_refused & (outcome.tries > 1)
    taken = outcome.state[again] != State.REFUSED
    return float(taken.mean()) if len(taken) else None


def _utilisation(scenario: Scenario, outcome: Outcome) -> float:
    finished = outcome.finished[np.isfinite(outcome.finished)]
    until = max(scenario.span, float(finished.max())) if len(finished) else scenario.span
    return _over(outcome.busy_seconds, until * len(scenario.workers))
