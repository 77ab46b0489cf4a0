"""The families that this worker can drive, by the name that documents use.

Another package adds one with an entry point in the group `argus.families`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points

from argus_worker.families.protocol import BadModel, Family

GROUP = "argus.families"

_FAMILIES = {
    "shapes": "argus_worker.families.shapes:ShapesFamily",
    "sdxl": "argus_worker.families.sdxl:SdxlFamily",
}


def find_family(name: str) -> type[Family]:
    """The adapter of this name.

    Raises:
        BadModel: there is none; the message lists those there are.
    """
    if name in _FAMILIES:
        module, attribute = _FAMILIES[name].split(":")
        family: type[Family] = getattr(import_module(module), attribute)
        return family
    added = {point.name: point for point in entry_points(group=GROUP)}
    if name in added:
        loaded: type[Family] = added[name].load()
        return loaded
    raise BadModel(f"no family {name!r}; there are {', '.join(sorted({*_FAMILIES, *added}))}")
