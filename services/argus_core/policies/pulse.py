"""How fast requests come right now: the forecast, unless the last seconds say otherwise."""

from __future__ import annotations

from math import exp, sqrt

_SURE = 3.0
"""Standard deviations by which the last seconds must differ to be believed."""


class Pulse:
    """Counts arrivals with exponential weights; O(1) an arrival."""

    def __init__(self, *, memory: float, forecast: float) -> None:
        self._memory = memory
        """Seconds after which an arrival counts for a third."""
        self._weight = forecast * memory
        self._seen = 0.0
        self.expect(forecast)

    def expect(self, forecast: float) -> None:
        """Images a second that the control loop expects from now on."""
        self._forecast = forecast
        # The weights' squares add up to half the memory: the variance of a Poisson count.
        deviation = sqrt(max(forecast, 1 / self._memory) * self._memory / 2)
        usual = forecast * self._memory
        self._low, self._high = usual - _SURE * deviation, usual + _SURE * deviation

    def beat(self, now: float) -> float:
        """An arrival, at a time never before the last: images a second, as of now."""
        weight = self._weight * exp((self._seen - now) / self._memory) + 1.0
        self._weight, self._seen = weight, now
        return self._forecast if self._low <= weight <= self._high else weight / self._memory
