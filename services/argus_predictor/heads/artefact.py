"""A head as a directory: `head.json` says what it is, `head.safetensors` holds its arrays.

The digest in `head.json` is of all the rest, so that a byte that was changed is known; its first
letters are the head's version. Nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as arrays_of
from safetensors.numpy import save as bytes_of

from argus_core.errors import InvalidRequest
from argus_predictor.features import Vocabulary
from argus_predictor.heads.head import Head
from argus_predictor.heads.scorer import Scorer
from argus_predictor.heads.shape import Shape
from argus_predictor.heads.spread import Spread
from argus_predictor.heads.started import StartModel

FORMAT = 1
DOCUMENT, ARRAYS = "head.json", "head.safetensors"

_MOST_BYTES = 256 * 2**20

Arrays = dict[str, NDArray[np.float32]]


def save(head: Head, path: Path) -> Head:
    """Write the directory, made if need be; what it returns has its version.

    Each file is replaced at once. A reader between the two finds them at odds and refuses both.
    """
    body, arrays = _body(head), _arrays(head)
    data = bytes_of(arrays)
    digest = _digest(body, data)
    path.mkdir(parents=True, exist_ok=True)
    _replace(path / ARRAYS, data)
    text = json.dumps({"digest": digest, **body}, indent=1, ensure_ascii=False) + "\n"
    _replace(path / DOCUMENT, text.encode())
    return replace(head, version=version_of(digest))


def load(path: Path) -> Head:
    """Read the directory.

    Raises:
        InvalidRequest: there is no head of this format, or it is not as it was written.
    """
    body, data = _read(path)
    digest = body.pop("digest", None)
    if body.get("format") != FORMAT:
        raise _unusable(path, f"format must be {FORMAT}, is {body.get('format')!r}")
    if digest != _digest(body, data):
        raise _unusable(path, "its content is not what was written")
    try:
        return _head(body, arrays_of(data), version_of(digest))
    except (KeyError, TypeError, ValueError, SafetensorError) as error:
        raise _unusable(path, str(error)) from error


def versioned(head: Head) -> Head:
    """The same with the version that `save` would give it."""
    return replace(head, version=version_of(_digest(_body(head), bytes_of(_arrays(head)))))


def version_of(digest: str) -> str:
    """How a digest is called in answers and logs."""
    return digest[:12]


def _read(path: Path) -> tuple[dict[str, Any], bytes]:
    try:
        if sum((path / name).stat().st_size for name in (DOCUMENT, ARRAYS)) > _MOST_BYTES:
            raise _unusable(path, f"has over {_MOST_BYTES} bytes")
        body = json.loads((path / DOCUMENT).read_bytes())
        data = (path / ARRAYS).read_bytes()
    except OSError as error:
        raise _unusable(path, f"needs {DOCUMENT} and {ARRAYS}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise _unusable(path, f"{DOCUMENT} is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise _unusable(path, f"{DOCUMENT} is not an object")
    return body, data


def _body(head: Head) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "levels": list(head.levels),
        "encoder": head.encoder,
        "dimensions": head.dimensions,
        "best": head.best,
        "chains": [list(chain) for chain in head.chains],
        "starts": asdict(head.start_model),
        "vocabulary": list(head.vocabulary.words),
    }


def _arrays(head: Head) -> Arrays:
    parts: dict[str, Scorer | Spread] = {"scorer": head.scorer, "spread": head.spread}
    return {
        f"{part}.{field.name}": np.ascontiguousarray(getattr(value, field.name), np.float32)
        for part, value in parts.items()
        for field in fields(value)
    }


def _head(body: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], version: str) -> Head:
    levels, vocabulary = tuple(body["levels"]), Vocabulary(words=tuple(body["vocabulary"]))
    members, width, _ = arrays["scorer.out"].shape
    anchors, dimensions = len(arrays["scorer.anchors"]), body["dimensions"]
    shape = Scorer.shape(
        len(vocabulary) + dimensions, len(levels),
        members=members, width=width, anchors=anchors, dimensions=dimensions,
    )  # fmt: skip
    scorer = _part("scorer", arrays, shape)
    spread = _part("spread", arrays, Spread.shape(len(levels)))
    return Head(
        version=version,
        levels=levels,
        encoder=body["encoder"],
        dimensions=body["dimensions"],
        vocabulary=vocabulary,
        scorer=Scorer(**scorer),
        best=body["best"],
        chains=tuple(tuple(chain) for chain in body["chains"]),
        spread=Spread(**spread),
        start_model=StartModel(**body["starts"]),
    )


def _part(part: str, arrays: Mapping[str, NDArray[Any]], shape: Shape) -> Arrays:
    found = {name: arrays[f"{part}.{name}"] for name in shape}
    for name, array in found.items():
        if array.shape != shape[name] or array.dtype != np.float32 or not np.isfinite(array).all():
            raise ValueError(f"{part}.{name}: must be finite float32 {shape[name]}")
    return found


def _digest(body: Mapping[str, Any], data: bytes) -> str:
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    return hashlib.sha256(canonical + b"\n" + data).hexdigest()


def _replace(path: Path, data: bytes) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_bytes(data)
    part.replace(path)


def _unusable(path: Path, why: str) -> InvalidRequest:
    return InvalidRequest.one("head", f"{path} is no head that can be used: {why}")
