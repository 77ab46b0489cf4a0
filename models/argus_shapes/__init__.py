"""The small self-trained family: captions, painter, detector, models, training, evaluation."""

from __future__ import annotations

from pathlib import Path

_WEIGHTS = Path(__file__).parent / "weights"
_HEADS = Path(__file__).parent / "heads"


def weights_path(name: str) -> Path:
    """Folder of a built-in pipeline in diffusers' format, such as `shapes-large`.

    Raises:
        KeyError: there is none of this name; the message lists those there are.
    """
    known = builtin_names()
    if name not in known:
        raise KeyError(f"no built-in model {name!r}; there are {', '.join(known)}")
    return _WEIGHTS / name


def head_path(name: str) -> Path:
    """Folder of a built-in head of the predictor, such as `shapes`; there may be none."""
    return _HEADS / name


def builtin_names() -> list[str]:
    """Names of the pipelines that come with the package."""
    return sorted(path.parent.name for path in _WEIGHTS.glob("*/model_index.json"))
