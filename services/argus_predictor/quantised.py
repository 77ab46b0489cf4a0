"""Graphs with 8-bit weights: made once, then read from a cache.

They take half the time of 32-bit ones on one core, at a cosine of 0.99 to them
(`bench/predictor.py`).
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from pathlib import Path

log = logging.getLogger(__name__)

_FORMAT = "2"
"""Of the graphs; another makes all of them anew."""
_CHUNK = 1 << 20


def quantised(folder: Path) -> bytes:
    """The graph of a BERT's directory; made where the cache has none.

    Raises:
        UnknownModel: it is no BERT.
        ImportError: onnx or onnxruntime is missing.
        OSError: the cache cannot be written.
    """
    kept = cache_folder() / f"{_digest(folder)}.onnx"
    if not kept.exists():
        log.info("making the encoder's graph (once, some seconds): %s", kept)
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
            _make(folder, Path(scratch)).replace(kept)
    return kept.read_bytes()


def whole(folder: Path) -> bytes:
    """The graph as the weights are, with 32 bits; raises as `quantised` does."""
    from safetensors.numpy import load_file  # noqa: PLC0415

    from argus_predictor.graph import build  # noqa: PLC0415 - needs onnx

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return build(config, load_file(folder / "model.safetensors"))


def cache_folder() -> Path:
    """Where graphs are kept: `ARGUS_CACHE`, or the user's cache."""
    given = os.environ.get("ARGUS_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return (Path(given) if given else base / "argus") / "encoders"


def _make(folder: Path, scratch: Path) -> Path:
    # Only who makes a graph needs it, and it takes a second to import.
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415

    large, small = scratch / "whole.onnx", scratch / "small.onnx"
    large.write_bytes(whole(folder))
    quantize_dynamic(
        large,
        small,
        weight_type=QuantType.QInt8,
        per_channel=True,
        # 7 bits of weights: processors without VNNI add two products in 16 bits.
        reduce_range=True,
        # Its inference of types does not know the fused operators; 1 is float32.
        extra_options={"DefaultTensorType": 1, "MatMulConstBOnly": True},
    )
    return small


def _digest(folder: Path) -> str:
    digest = hashlib.blake2b(_FORMAT.encode(), digest_size=12)
    for name in ("config.json", "model.safetensors"):
        with (folder / name).open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()
