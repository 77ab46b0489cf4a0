"""What runs a sentence encoder: onnxruntime where it can, torch where it must. One thread each."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from argus_predictor.quantised import quantised

log = logging.getLogger(__name__)

Floats = NDArray[np.float32]
Ids = Sequence[Sequence[int]]


class Runtime(Protocol):
    """A model in memory."""

    name: str

    def means(self, ids: Ids) -> Floats:
        """Mean vector of each text's tokens, [texts, hidden]; all of one length."""


class OnnxRuntime:
    """A fused graph; texts one by one.

    8-bit scales are of a whole batch: a row would depend on its neighbours.
    """

    name = "onnxruntime"

    def __init__(self, model: bytes) -> None:
        import onnxruntime  # noqa: PLC0415 - optional

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )

    def means(self, ids: Ids) -> Floats:
        """See `Runtime`."""
        return np.concatenate([
            self._session.run(None, {"ids": np.asarray([row], np.int32)})[0] for row in ids
        ])  # fmt: skip


class TorchRuntime:
    """Any encoder that `transformers` knows."""

    name = "torch"

    def __init__(self, folder: Path) -> None:
        import torch  # noqa: PLC0415 - takes seconds
        from transformers import AutoModel  # noqa: PLC0415

        torch.set_num_threads(1)
        self._torch = torch
        self._model = AutoModel.from_pretrained(
            str(folder), use_safetensors=True, local_files_only=True
        ).eval()

    def means(self, ids: Ids) -> Floats:
        """See `Runtime`."""
        with self._torch.inference_mode():
            hidden = self._model(input_ids=self._torch.tensor(ids)).last_hidden_state
            return np.asarray(hidden.mean(dim=1).numpy(), np.float32)


def load(folder: Path) -> Runtime:
    """The faster that can run the model in a directory."""
    try:
        return OnnxRuntime(quantised(folder))
    except ImportError as error:
        log.warning("the encoder runs by torch, which takes longer: %s", error)
    except Exception as error:  # noqa: BLE001 - torch may know what ONNX does not
        log.warning("the encoder runs by torch, as its graph cannot be made: %s", error)
    return TorchRuntime(folder)
