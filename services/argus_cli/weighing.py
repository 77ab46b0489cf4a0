"""How much memory a model's weights take, from the heads of its files: nothing is loaded."""

from __future__ import annotations

import json
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from argus_worker.sources import is_copy

if TYPE_CHECKING:
    from argus_core.spec import Variant

GPU_BYTES = {
    "t4": 16e9,
    "l4": 24e9,
    "a10": 24e9,
    "a10g": 24e9,
    "rtx4090": 24e9,
    "rtx5090": 32e9,
    "l40": 48e9,
    "l40s": 48e9,
    "a100-40gb": 40e9,
    "a100": 80e9,
    "a100-80gb": 80e9,
    "h100": 80e9,
    "h200": 141e9,
    "b200": 180e9,
}
"""Memory by GPU type, as its maker states it; of a name that two sizes go by, the larger."""
_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
_LONGEST = 100 * 2**20
"""Bytes of a head; safetensors allows no more."""


def weights(folder: Path, variant: Variant) -> int:
    """Bytes that the variant's components take in its dtype; 0 where no file tells.

    Copies of other precisions beside them are not counted, as none is loaded. LoRAs are added to
    what there is. Eight bits are counted as if all of the denoiser's weights of two dimensions were
    so, which is a little less than it takes.
    """
    total, index = 0, _json(folder / "model_index.json")
    parts = [name for name, told in index.items() if isinstance(told, list) and told[0]]
    for part in parts:
        small = variant.quantization and part in ("unet", "transformer")
        for file in sorted((folder / part).glob("*.safetensors")):
            if is_copy(part, file.name):
                continue
            for shape in _shapes(file):
                wide = 1 if small and len(shape) == 2 else _BYTES[variant.dtype]
                total += prod(shape) * wide
    return total


def _shapes(file: Path) -> list[list[int]]:
    """Of the tensors in a safetensors file; none where it is not one."""
    try:
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            head: Any = json.loads(opened.read(length)) if length <= _LONGEST else {}
        return [told["shape"] for name, told in head.items() if name != "__metadata__"]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return []


def _json(file: Path) -> dict[str, Any]:
    try:
        told = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}
