"""How good a picture is: named metrics behind one small interface.

Another package adds one with an entry point in the group `argus.metrics`: a function that takes
the device, as torch names it, and returns a `Metric`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points

from argus_core.errors import NotFound
from argus_metrics.metric import Metric

__all__ = ["GROUP", "Metric", "find_metric"]

GROUP = "argus.metrics"

_METRICS = {
    "shapes": "argus_metrics.shapes:exact",
}


def find_metric(name: str, *, device: str = "cpu") -> Metric:
    """The metric of this name, which will compute on the device.

    Raises:
        NotFound: there is none; the message lists those there are.
        NotBuilt: a package that it needs is not installed.
    """
    added = {point.name: point for point in entry_points(group=GROUP)}
    make: Callable[[str], Metric]
    if name in _METRICS:
        module, attribute = _METRICS[name].split(":")
        make = getattr(import_module(module), attribute)
    elif name in added:
        make = added[name].load()
    else:
        there_are = ", ".join(sorted({*_METRICS, *added}))
        raise NotFound(f"no metric {name!r}; there are {there_are}")
    return make(device)
