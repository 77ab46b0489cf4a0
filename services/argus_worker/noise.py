"""Random numbers of a request, on the CPU, keyed on its seed and step.

Keyed, not drawn in sequence: a request resumed at step K draws at step K what it would have
drawn had it begun at the start, whatever shares its batch and whatever the device.
"""

from __future__ import annotations

import hashlib

import torch


def generator(seed: int, step: int) -> torch.Generator:
    """The generator of a step; of step 0, which draws the first noise, it is the seed's own.

    Args:
        seed: 0 to 2**64 - 1.
        step: Steps done so far.
    """
    keyed = torch.Generator("cpu")
    if step == 0:
        return keyed.manual_seed(seed)
    digest = hashlib.blake2b(f"{seed}/{step}".encode(), digest_size=8).digest()
    return keyed.manual_seed(int.from_bytes(digest, "little"))
