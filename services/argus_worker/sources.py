"""Where a variant's model is on this machine, and which model it is."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from huggingface_hub import snapshot_download

from argus_core.spec import Variant
from argus_shapes import weights_path
from argus_worker.families.protocol import BadModel

_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_BUILTIN = "builtin:"
_PROBE = 64 * 1024
"""Bytes read at three places of each file of weights."""


def resolve(variant: Variant) -> Path:
    """The diffusers folder of a variant; a hub id is downloaded unless it is here already.

    Raises:
        BadModel: there is none.
    """
    model = variant.model
    if model.startswith(_BUILTIN):
        try:
            return weights_path(model.removeprefix(_BUILTIN))
        except KeyError as error:
            raise BadModel(str(error.args[0])) from error
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    if folder.is_absolute() or not _HUB_ID.fullmatch(model):
        raise BadModel(f"no directory {model}")
    return _download(model, variant.revision)


def disk_bytes(folder: Path) -> int:
    """What loading the folder reads, in bytes."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def fingerprint(folder: Path) -> str:
    """16 hex digits that tell models apart, wherever they lie.

    Each file of weights gives its size and three samples of its content: training moves every
    weight, and hashing many gigabytes would slow down loading.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.safetensors")):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder)}:{size}".encode())
        with path.open("rb") as file:
            for start in (0, size // 2, max(0, size - _PROBE)):
                file.seek(start)
                digest.update(file.read(_PROBE))
    return digest.hexdigest()[:16]


def _download(model: str, revision: str | None) -> Path:
    try:
        # Components only: single-file checkpoints, pickles and scripts stay where they are.
        folder = snapshot_download(
            model,
            revision=revision,
            allow_patterns=["model_index.json", "*/*.json", "*/*.txt", "*/*.safetensors"],
            ignore_patterns=["*.fp16.safetensors", "*.non_ema.safetensors"],
        )
    except Exception as error:  # the hub's client raises its own, requests' and the system's
        raise BadModel(f"{model} is neither a directory nor to be had: {error}") from error
    return Path(folder)
