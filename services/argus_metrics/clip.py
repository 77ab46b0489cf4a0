"""How well a picture fits its prompt, by a CLIP model: CLIPScore and PickScore.

Of a prompt longer than the model's context (77 tokens) only the beginning is judged, as in both
metrics' definitions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from PIL.Image import Image
from torch import Tensor
from torch.nn.functional import cosine_similarity
from transformers import CLIPImageProcessor, CLIPModel, CLIPTokenizer

from argus_core.quality import Comparison
from argus_metrics.missing import model_missing

CLIP = "openai/clip-vit-large-patch14"
PICKSCORE = "yuvalkirstain/PickScore_v1"
_PICKSCORE_READER = "laion/CLIP-ViT-H-14-laion2B-s32B-b79K"
"""Whose tokenizer and image processor PickScore was trained with."""
_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_FILES = ("*.json", "*.txt", "model.safetensors", "model-*.safetensors")
"""No pickles, and no code."""
_WEIGHT = 2.5
"""Of Hessel et al. (2021), equation 1: brings cosines, 0.4 at the most in practice, to 0..1."""


@dataclass(frozen=True, kw_only=True)
class _Loaded:
    model: Any
    tokenizer: Any
    processor: Any


@dataclass(kw_only=True)
class ClipMetric:
    """Compares the embeddings of prompt and picture."""

    device: str
    model: str
    """A directory or a hub id."""
    value: Callable[[Tensor, Tensor], Tensor]
    """Scores `[N]` from cosines `[N]` and the model's own factor of a cosine `[]`."""
    comparison: Comparison
    reader: str | None = None
    """Whose tokenizer and image processor to use where the model comes without."""
    scale: float = 1.0
    needs_reference: bool = False
    _loaded: _Loaded | None = field(default=None, init=False, repr=False)

    def score(
        self, prompts: Sequence[str], images: Sequence[Image], references: Sequence[Image]
    ) -> list[float]:
        """See `Metric`."""
        del references
        if self._loaded is None:
            self._loaded = self._load()
        loaded = self._loaded
        with torch.inference_mode():
            text = loaded.model.get_text_features(**self._tokens(loaded, prompts)).pooler_output
            pixels = loaded.processor(images=list(images), return_tensors="pt")["pixel_values"]
            shown = loaded.model.get_image_features(pixel_values=pixels.to(self.device))
            cosines = cosine_similarity(text, shown.pooler_output)
            scores: list[float] = self.value(cosines, loaded.model.logit_scale.exp()).tolist()
        return scores

    def _tokens(self, loaded: _Loaded, prompts: Sequence[str]) -> Any:
        context = loaded.model.config.text_config.max_position_embeddings
        return loaded.tokenizer(
            list(prompts),
            padding=True,
            truncation=True,
            max_length=context,
            return_tensors="pt",
        ).to(self.device)

    def _load(self) -> _Loaded:
        try:
            folder = _folder(self.model)
            reader = folder if self.reader is None or _reads(folder) else _folder(self.reader)
            model = _model(folder)
            tokenizer = CLIPTokenizer.from_pretrained(reader, local_files_only=True)
            processor = CLIPImageProcessor.from_pretrained(reader, local_files_only=True)
        except Exception as error:  # the hub's client and transformers raise what they like
            raise model_missing(self.model, error) from error
        return _Loaded(model=model.to(self.device).eval(), tokenizer=tokenizer, processor=processor)


def _folder(model: str) -> Path:
    """The model's directory; one of a hub is downloaded unless it is here already."""
    path = Path(model).expanduser()
    if path.is_dir():
        return path
    if path.is_absolute() or not _HUB_ID.fullmatch(model):
        raise FileNotFoundError("no such directory")
    return Path(snapshot_download(model, allow_patterns=list(_FILES)))


def _reads(folder: Path) -> bool:
    """Whether a directory has an image processor, by the name of older releases or of newer."""
    return any((folder / f"{name}_config.json").exists() for name in ("preprocessor", "processor"))


def _model(folder: Path) -> Any:
    """The model of a directory, all its weights from safetensors."""
    model, told = CLIPModel.from_pretrained(
        folder,
        use_safetensors=True,
        local_files_only=True,
        dtype=torch.float32,
        output_loading_info=True,
    )
    if lacking := sorted(map(str, told["missing_keys"])):
        # transformers would make them up.
        raise ValueError(f"its safetensors lack {', '.join(lacking[:3])}")
    return model


def clip(device: str, model: str = CLIP) -> ClipMetric:
    """CLIPScore, 0 to 1."""
    return ClipMetric(
        device=device,
        model=model,
        value=lambda cosines, _: (_WEIGHT * cosines).clamp(0, 1),
        comparison=Comparison.DIFFERENCE,
    )


def pickscore(device: str, model: str = PICKSCORE) -> ClipMetric:
    """PickScore (Kirstain et al., 2023): a difference of 1 is e to 1 that people prefer it."""
    return ClipMetric(
        device=device,
        model=model,
        value=lambda cosines, factor: factor * cosines,
        comparison=Comparison.WIN,
        reader=_PICKSCORE_READER,
    )
