"""How busy workers may be, so that a stated share of requests meets the deadline.

The model is a group of `servers` with one queue, first come first served (GI/G/c). Its wait is
Erlang's C for the chance of any wait, and beyond that an exponential tail whose rate is that of
M/M/c divided by the mean of the two squared coefficients of variation (Allen and Cunneen). Exact
for M/M/c; its mean is exact for M/G/1; for steadier service the tail errs on the safe side.

Variation means the squared coefficient of variation: 1 for Poisson arrivals and exponential
service, 0 for clockwork. Times are in any one unit.
"""

from __future__ import annotations

from math import exp, inf

from argus_core.errors import InvalidRequest

_HALVINGS = 60
"""Of the interval that holds the bound: past the precision of a double."""


def erlang_c(servers: int, load: float) -> float:
    """Chance that an arrival must wait in M/M/c; `load` is arrivals times mean service.

    1 where the load is not below `servers`.
    """
    if load >= servers:
        return 1.0
    if load <= 0:
        return 0.0
    blocked = 1.0  # Erlang's B by its recursion, which neither overflows nor cancels
    for n in range(1, servers + 1):
        blocked = load * blocked / (n + load * blocked)
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
    spread = (arrival_variation + service_variation) / 2
    if spread == 0:  # clockwork with room to spare never waits
        return 0.0
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
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        late = wait_exceeds(
            servers,
            middle * servers,
            service,
            allowance,
            arrival_variation=arrival_variation,
            service_variation=service_variation,
        )
        low, high = (middle, high) if late <= 1 - target else (low, middle)
    return low


def _require(holds: bool, field: str, problem: str) -> None:  # noqa: FBT001
    if not holds:
        raise InvalidRequest.one(field, problem)
