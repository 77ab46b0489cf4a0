"""What a denoiser repeats: most of its weights and of its work."""

from __future__ import annotations

from collections import Counter

from torch import nn


def blocks(net: nn.Module) -> list[nn.Module]:
    """As diffusers names them; or those that are many of what must stay whole."""
    if named := getattr(net, "_repeated_blocks", None):
        return [module for module in net.modules() if type(module).__name__ in named]
    whole = getattr(net, "_no_split_modules", None) or ()
    found = [module for module in net.modules() if type(module).__name__ in whole]
    often = Counter(type(module) for module in found)
    return [module for module in found if often[type(module)] > 1]
