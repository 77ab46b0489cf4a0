"""Where a variant's model is on this machine, and which model it is."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from huggingface_hub import snapshot_download

from argus_core.spec import Variant
from argus_core.spec_engine import Lora
from argus_shapes import weights_path
from argus_worker.errors import BadModel
from argus_worker.loras import LoraFile

_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_BUILTIN = "builtin:"
# Components only: single-file checkpoints, pickles and scripts stay where they are.
_WANTED = ["model_index.json", "*/*.json", "*/*.txt", "*/*.safetensors"]
_COPIES = "*/*.*.safetensors"
"""Weights that a component has again, in another precision or from training, whole or in parts:
`unet/model.fp16.safetensors`, `unet/model.non_ema-00001-of-00002.safetensors`. None is loaded."""
_PROBE = 64 * 1024
"""Bytes read at three places of each file of weights."""


def resolve(variant: Variant, *, only_here: bool = False) -> Path:
    """The diffusers folder of a variant; a hub id is downloaded unless it is here already.

    Raises:
        BadModel: there is none, or with `only_here` none on this machine.
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
    return _download(model, variant.revision, allow=_WANTED, ignore=[_COPIES], only_here=only_here)


def find_lora(lora: Lora) -> LoraFile:
    """The LoRA's file; a hub id is downloaded unless it is here already.

    Raises:
        BadModel: there is none, or it is not told which.
    """
    place = Path(lora.model).expanduser()
    if place.is_file():
        found = [place]
    elif place.is_dir() or (not place.is_absolute() and _HUB_ID.fullmatch(lora.model)):
        folder = place if place.is_dir() else _download_lora(lora)
        found = [folder / lora.file] if lora.file else sorted(folder.glob("*.safetensors"))
    else:
        raise BadModel(f"no LoRA {lora.model}")
    if len(found) != 1:
        raise BadModel(f"LoRA {lora.model} has {len(found)} safetensors files: name one as `file`")
    if found[0].suffix != ".safetensors" or not found[0].is_file():
        raise BadModel(f"LoRA {lora.model} has no safetensors file {found[0].name}")
    return LoraFile(path=found[0], scale=lora.scale)


def is_copy(part: str, file: str) -> bool:
    """Whether a component's file holds again what another of its files does."""
    return fnmatchcase(f"{part}/{file}", _COPIES)


def disk_bytes(folder: Path) -> int:
    """What loading the folder reads, in bytes."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def fingerprint(folder: Path, loras: Iterable[LoraFile] = ()) -> str:
    """16 hex digits that tell models apart, wherever they lie.

    Each file of weights gives its size and three samples of its content: training moves every
    weight, and hashing many gigabytes would slow down loading.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.safetensors")):
        _sample(digest, path, path.relative_to(folder))
    for lora in loras:
        _sample(digest, lora.path, f"lora*{lora.scale!r}")
    return digest.hexdigest()[:16]


def encoder(folder: Path, parts: Iterable[str]) -> str:
    """16 hex digits that tell apart what prompts are encoded with: these components, and settings.

    Weights are sampled as `fingerprint` does, all else is read in full.
    """
    digest = hashlib.sha256()
    index = json.loads((folder / "model_index.json").read_text())
    told = {name: value for name, value in sorted(index.items()) if isinstance(value, bool | int)}
    digest.update(json.dumps(told).encode())
    for part in sorted(parts):
        for path in sorted(path for path in (folder / part).rglob("*") if path.is_file()):
            name = path.relative_to(folder)
            if path.suffix == ".safetensors":
                _sample(digest, path, name)
            else:
                digest.update(f"{name}:".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _download(
    model: str,
    revision: str | None,
    *,
    allow: list[str],
    ignore: list[str],
    only_here: bool = False,
) -> Path:
    """A folder of a hub's repository, with those files of it.

    Raises:
        BadModel: it cannot be had.
    """
    try:
        folder = snapshot_download(
            model,
            revision=revision,
            allow_patterns=allow,
            ignore_patterns=ignore,
            local_files_only=only_here,
        )
    except Exception as error:  # the hub's client raises its own, requests' and the system's
        raise BadModel(f"{model} is neither a directory nor to be had: {error}") from error
    return Path(folder)


def _download_lora(lora: Lora) -> Path:
    if lora.file:
        return _download(lora.model, lora.revision, allow=[lora.file], ignore=[])
    return _download(lora.model, lora.revision, allow=["*.safetensors"], ignore=["*/*"])


def _sample(digest: hashlib._Hash, path: Path, name: object) -> None:
    size = path.stat().st_size
    digest.update(f"{name}:{size}".encode())
    with path.open("rb") as file:
        for start in (0, size // 2, max(0, size - _PROBE)):
            file.seek(start)
            digest.update(file.read(_PROBE))
