"""LoRAs, added to a likeness of a model.

The likeness has modules of its own and shares every tensor that no LoRA changes; the model itself
stays as it was to the bit, as sums are put in new tensors and never taken back.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from argus_worker.errors import BadModel
from argus_worker.likeness import shared_memory


@dataclass(frozen=True, kw_only=True)
class LoraFile:
    """A LoRA on this machine."""

    path: Path
    """A safetensors file."""
    scale: float


def added(pipeline: Any, files: Sequence[LoraFile]) -> Any:
    """A likeness of the pipeline with the LoRAs added to its weights.

    Raises:
        BadModel: one fits no weight of it.
    """
    like, shared = copy.copy(pipeline), shared_memory(pipeline.components)
    takes = pipeline._lora_loadable_modules  # noqa: SLF001 - told nowhere else
    touchable = [name for name in takes if getattr(pipeline, name, None) is not None]
    for name in touchable:
        setattr(like, name, copy.deepcopy(getattr(pipeline, name), shared))
    names = [f"lora{index}" for index in range(len(files))]
    for name, file in zip(names, files, strict=True):
        _check(file.path)
        like.load_lora_weights(
            str(file.path.parent),
            weight_name=file.path.name,
            adapter_name=name,
            use_safetensors=True,
            local_files_only=True,
        )
        if name not in {one for some in like.get_list_adapters().values() for one in some}:
            raise BadModel(f"LoRA {file.path.name} fits no weight of the model")
    like.set_adapters(names, [file.scale for file in files])
    # Safe: into a tensor of its own, where it would else add to the one that is shared.
    like.fuse_lora(touchable, safe_fusing=True, adapter_names=names)
    like.unload_lora_weights()
    return like


def _check(path: Path) -> None:
    with safe_open(path, framework="pt") as file:
        for name in file.keys():  # noqa: SIM118 - not a mapping
            if not file.get_tensor(name).to(torch.float32).isfinite().all():
                raise BadModel(f"LoRA {path.name}: {name} holds values that are not finite")
