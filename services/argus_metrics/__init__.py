"""How good a picture is: named metrics behind one small interface.

Another package adds one with an entry point in the group `argus.metrics`: a function that takes
the device, as torch names it, and returns a `Metric`. One that is served over HTTP is named by its
URL; one whose model can be chosen, as in `clip:/models/clip`, by a directory or hub id behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from argus_core.errors import NotBuilt, NotFound
from argus_metrics.metric import Metric

__all__ = ["GROUP", "Metric", "find_metric"]

GROUP = "argus.metrics"

_METRICS = {
    "clip": "argus_metrics.clip:clip",
    "hpsv3": "argus_metrics.hpsv3:hpsv3",
    "lpips": "argus_metrics.lpips:lpips",
    "pickscore": "argus_metrics.clip:pickscore",
    "shapes": "argus_metrics.shapes:exact",
    "shapes-share": "argus_metrics.shapes:share",
}
_CHOOSABLE = ("clip", "pickscore")
"""Those whose model may be named behind a colon."""


def find_metric(name: str, *, device: str = "cpu") -> Metric:
    """The metric of this name, which will compute on the device.

    Raises:
        NotFound: there is none; the message lists those there are.
        InvalidRequest: it is a URL, and none of HTTP.
        NotBuilt: a package that it needs is not installed.
        Unavailable: its service is out of reach.
    """
    if name.startswith(("http://", "https://")):
        # What nobody asks for is not loaded.
        from argus_metrics.http import HttpMetric  # noqa: PLC0415

        return HttpMetric(name)
    kind, colon, model = name.partition(":")
    added = {point.name: point for point in entry_points(group=GROUP)}
    if name in _METRICS or (kind in _CHOOSABLE and model):
        module, attribute = _METRICS[kind].split(":")
        make: Callable[..., Metric] = getattr(import_module(module), attribute)
        return make(device, model) if colon else make(device)
    if name in added:
        return _load(added[name])(device)
    there_are = ", ".join(sorted({*_METRICS, *added}))
    raise NotFound(f"no metric {name!r}; there are {there_are}")


def _load(point: EntryPoint) -> Callable[[str], Metric]:
    try:
        make: Callable[[str], Metric] = point.load()
    except (ImportError, AttributeError) as error:
        raise NotBuilt(f"metric {point.name!r} ({point.value}) cannot load: {error}") from error
    return make
