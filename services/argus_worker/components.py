"""Components of a diffusers folder, each read by a class that the family names.

Class names in the folder are never trusted: only the scheduler's is read, and it must be one
of diffusers' own. Weights are safetensors and nothing else; a weight that is missing is an
error, where the libraries would only warn and make one up.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import SchedulerMixin
from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging

from argus_worker.errors import BadModel

for _logging in (diffusers_logging, transformers_logging):
    _logging.disable_progress_bar()
    _logging.set_verbosity_error()


def read_index(folder: Path) -> dict[str, Any]:
    """The folder's `model_index.json`.

    Raises:
        BadModel: there is no folder, or no index in it.
    """
    if not folder.is_dir():
        raise BadModel(f"no directory {folder}")
    try:
        index = json.loads((folder / "model_index.json").read_text())
    except (OSError, ValueError) as error:
        raise BadModel(f"{folder} is no diffusers folder: {error}") from error
    if not isinstance(index, dict):
        raise BadModel(f"{folder}/model_index.json must hold an object")
    return index


def load_module(kind: Any, folder: Path, name: str, *, dtype: torch.dtype) -> Any:
    """One component with weights, in host memory, for inference.

    Raises:
        BadModel: weights are missing, of another shape, or not safetensors.
    """
    require(folder, name)
    module, info = kind.from_pretrained(
        folder / name,
        use_safetensors=True,
        local_files_only=True,
        output_loading_info=True,
        dtype=dtype,
    )
    if lacking := sorted(info["missing_keys"]):
        raise BadModel(f"{name} lacks {len(lacking)} weights, such as {lacking[0]}")
    if module.dtype != dtype:
        raise BadModel(f"{name} was loaded as {module.dtype}, not {dtype}")
    return module.eval().requires_grad_(requires_grad=False)


def load_tokenizer(kind: Any, folder: Path, name: str) -> Any:
    """One tokenizer."""
    require(folder, name)
    return kind.from_pretrained(folder / name, local_files_only=True, trust_remote_code=False)


def load_scheduler(folder: Path) -> Any:
    """The folder's scheduler, checked to take one step a timestep.

    Raises:
        BadModel: diffusers has no such scheduler, or it takes more than one step a timestep.
    """
    require(folder, "scheduler")
    config = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
    name = str(config.get("_class_name"))
    kind: Any = getattr(diffusers, name, None)
    known = isinstance(kind, type) and issubclass(kind, SchedulerMixin)
    if not known:
        raise BadModel(f"diffusers has no scheduler {name!r}")
    scheduler = kind.from_config(config)
    taken = len(_tried(scheduler).timesteps)
    if taken != 4:
        raise BadModel(f"{name} takes {taken} forwards for 4 steps; Euler and DDIM take one a step")
    return scheduler


def resumable(scheduler: Any) -> bool:
    """Whether the latent is all that a step needs, so that a schedule can begin in its midst."""
    trial = _tried(scheduler)
    return not any(hasattr(trial, history) for history in ("model_outputs", "ets", "derivatives"))


def _tried(scheduler: Any) -> Any:
    trial = copy.deepcopy(scheduler)
    if scheduler.config.get("use_dynamic_shifting"):
        trial.set_timesteps(4, mu=1.0)
    else:
        trial.set_timesteps(4)
    return trial


def require(folder: Path, name: str) -> None:
    """BadModel where the folder lacks a component."""
    if not (folder / name).is_dir():
        raise BadModel(f"{folder} has no {name}")
