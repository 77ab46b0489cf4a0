"""What can be wrong with a request, by field."""

from __future__ import annotations

from collections.abc import Iterator

from argus_core.errors import Violation
from argus_protos.v1 import predictor_pb2

MAX_PROMPT_BYTES = 8192
_MAX_NAME = 256
_MAX_COMPATIBILITY = 1024
_MAX_LABELS = 256


def wrong_prediction(request: predictor_pb2.PredictRequest) -> Iterator[Violation]:
    """Of a `PredictRequest`."""
    yield from _wrong_prompt("prompt", request.prompt)
    if len(request.scope) > _MAX_NAME:
        yield Violation("scope", f"must be at most {_MAX_NAME} characters")
    if len(request.compatibility) > _MAX_NAME:
        yield Violation("compatibility", f"must name at most {_MAX_NAME} levels")
    for level, fits in request.compatibility.items():
        if len(level) > _MAX_NAME or len(fits) > _MAX_COMPATIBILITY:
            most = f"{_MAX_NAME} and {_MAX_COMPATIBILITY} characters"
            yield Violation("compatibility", f"keys and values must be at most {most}")
            return


def wrong_labels(request: predictor_pb2.AddLabelsRequest) -> Iterator[Violation]:
    """Of an `AddLabelsRequest`."""
    if not 1 <= len(request.labels) <= _MAX_LABELS:
        yield Violation("labels", f"must be 1 to {_MAX_LABELS}, are {len(request.labels)}")
        return
    for index, label in enumerate(request.labels):
        yield from _wrong_label(f"labels[{index}]", label)


def _wrong_label(path: str, label: predictor_pb2.Label) -> Iterator[Violation]:
    yield from _wrong_prompt(f"{path}.prompt", label.prompt)
    for field in ("level", "metric", "model_version"):
        if not 0 < len(getattr(label, field)) <= _MAX_NAME:
            yield Violation(f"{path}.{field}", f"must be 1 to {_MAX_NAME} characters")
    for field in ("quality", "predicted_quality"):
        if not 0 <= getattr(label, field) <= 1:
            yield Violation(f"{path}.{field}", "must be 0 to 1")
    if label.HasField("similarity") and not -1 <= label.similarity <= 1:
        yield Violation(f"{path}.similarity", "must be -1 to 1")


def _wrong_prompt(field: str, prompt: str) -> Iterator[Violation]:
    if not prompt.strip():
        yield Violation(field, "must not be empty")
    if (size := len(prompt.encode())) > MAX_PROMPT_BYTES:
        yield Violation(field, f"must be at most {MAX_PROMPT_BYTES} bytes of UTF-8, is {size}")
