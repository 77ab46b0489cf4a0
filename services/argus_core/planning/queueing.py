"""How busy workers may be, so that a stated share of requests meets the deadline.

The model is a group of `servers` with one queue, first come first served (GI/G/c). Its wait is
Erlang's C for the chance of any wait, and beyond that an exponential tail whose rate is that of
M/M/c divided by the mean of the two squared coefficients of variation (Allen and Cunneen). Exact
for M/M/c; its mean is exact for M/G/1. For M/D/1 its tail is too long, which is the safe side,
wherever fewer than one in twenty wait past it, and too short by a quarter at most elsewhere.

Variation means the squared coefficient of variation: 1 for Poisson arrivals and exponential
service, 0 for clockwork. Times are in any one unit.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, inf, log

from argus_core.errors import InvalidRequest

_PRECISION = 1e-9
"""Of a bound on the utilisation."""
_STEPS = 100
"""Of the search for it; some ten are usual."""
_CLOCKWORK = 1e-9
"""Variation that stands for none: then nobody waits who need not."""
_NEGLIGIBLE = 1e-17
_TINY = 1e-300
"""Stands for a chance of nothing, which has no logarithm."""


def erlang_c(servers: int, load: float) -> float:
    """Chance that an arrival must wait in M/M/c; `load` is arrivals times mean service.

    1 where the load is not below `servers`.
    """
    if load >= servers:
        return 1.0
    if load <= 0:
        return 0.0
    # The inverse of Erlang's B is 1 + c/a + c(c-1)/a^2 + ...: all terms positive, so that nothing
    # cancels, and the tail falls off long before the last server of a large group.
    inverse, term = 1.0, 1.0
    for n in range(servers, 0, -1):
        term *= n / load
        inverse += term
        if term < _NEGLIGIBLE * inverse:
            break
    blocked = 1 / inverse
    return servers * blocked / (servers - load * (1 - blocked))


def mean_wait(
    servers: int,
    load: float,
    service: float,
    *,
    arrival_variation: float = 1.0,
    service_variation: float = 1.0,
) -> float:
    """Mean time in the queue; infinite where the load is not below `servers`."""
    if load >= servers:
        return inf
    spread = (arrival_variation + service_variation) / 2
    return erlang_c(servers, load) * service * spread / (servers - load)


def wait_exceeds(
    servers: int,
    load: float,
    service: float,
    allowance: float,
    *,
    arrival_variation: float = 1.0,
    service_variation: float = 1.0,
) -> float:
    """Chance that a request waits longer than `allowance`, 0 or more."""
    if load >= servers:
        return 1.0
    waits = erlang_c(servers, load)
    spread = max((arrival_variation + service_variation) / 2, _CLOCKWORK)
    return waits * exp(-(servers - load) * allowance / (service * spread))


def utilisation_bound(
    servers: int,
    service: float,
    *,
    deadline: float,
    target: float,
    arrival_variation: float = 1.0,
    service_variation: float = 0.0,
) -> float:
    """The greatest share of their time that `servers` may be busy, 0 to 1.

    At it, `target` of the requests wait no longer than the deadline leaves them. 0 where the
    service alone takes longer than the deadline.

    Raises:
        InvalidRequest: an argument is out of range.
    """
    _require(servers >= 1, "servers", f"must be 1 or more, not {servers}")
    _require(0 < service < inf, "service", f"must be positive, not {service}")
    _require(0 < deadline < inf, "deadline", f"must be positive, not {deadline}")
    _require(0 < target < 1, "target", f"must lie between 0 and 1, not {target}")
    for name, value in (
        ("arrival_variation", arrival_variation),
        ("service_variation", service_variation),
    ):
        _require(0 <= value < inf, name, f"must be 0 or more, not {value}")
    allowance = deadline - service
    if allowance < 0:
        return 0.0
    spread = max((arrival_variation + service_variation) / 2, _CLOCKWORK)

    def excess(busy: float) -> float:
        """Above 0 where too many would be late: the log of `wait_exceeds`, nearly straight."""
        room = (1 - busy) * servers * allowance / (service * spread)
        return log(max(erlang_c(servers, busy * servers), _TINY)) - room - log(1 - target)

    return _last_below_zero(excess)


def _last_below_zero(rising: Callable[[float], float]) -> float:
    """The root of a rising function between 0 and 1, from below (the Illinois method)."""
    low, high = 0.0, 1.0
    at_low, at_high = rising(low), rising(high)
    was_low = None
    for _ in range(_STEPS):
        if high - low <= _PRECISION:
            break
        middle = (low * at_high - high * at_low) / (at_high - at_low)
        # Never nearer to an end than the precision, or that end would creep.
        middle = min(max(middle, low + _PRECISION / 2), high - _PRECISION / 2)
        at_middle = rising(middle)
        is_low = bool(at_middle <= 0)  # numpy has a truth of its own, and `is` would miss it
        if is_low:
            low, at_low = middle, at_middle
            at_high /= 2 if was_low is True else 1
        else:
            high, at_high = middle, at_middle
            at_low /= 2 if was_low is False else 1
        was_low = is_low
    return low


def _require(holds: bool, field: str, problem: str) -> None:  # noqa: FBT001
    if not holds:
        raise InvalidRequest.one(field, problem)
