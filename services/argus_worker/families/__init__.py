"""The families that this worker can drive, by the name that documents use.

Another package adds one with an entry point in the group `argus.families`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points

from argus_worker.errors import BadModel
from argus_worker.families.protocol import Family

GROUP = "argus.families"

_FAMILIES = {
    "shapes": "argus_worker.families.shapes:ShapesFamily",
    "sd15": "argus_worker.families.sd15:Sd15Family",
    "sdxl": "argus_worker.families.sdxl:SdxlFamily",
    "sdxl-turbo": "argus_worker.families.sdxl_few:SdxlTurboFamily",
    "sdxl-lightning": "argus_worker.families.sdxl_few:SdxlLightningFamily",
    "pixart": "argus_worker.families.pixart:PixArtFamily",
    "sd3": "argus_worker.families.sd3:Sd3Family",
    "flux": "argus_worker.families.flux:FluxFamily",
    "flux-schnell": "argus_worker.families.flux:FluxSchnellFamily",
    "sana": "argus_worker.families.sana:SanaFamily",
    "sana-sprint": "argus_worker.families.sana_sprint:SanaSprintFamily",
    "z-image": "argus_worker.families.z_image:ZImageFamily",
    "qwen-image": "argus_worker.families.qwen_image:QwenImageFamily",
    "qwen-image-lightning": "argus_worker.families.qwen_image:QwenImageLightningFamily",
    "flux2-klein": "argus_worker.families.flux2_klein:Flux2KleinFamily",
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


def names() -> tuple[str, ...]:
    """Of the families that come with Argus."""
    return tuple(_FAMILIES)
