"""What a request says of the latent store: whose latents, and how captures shall be found again."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from argus_core.errors import Violation
from argus_protos.v1 import worker_pb2
from argus_rpc.convert import seconds
from argus_worker.order import Keep

MAX_NAME = 256
"""Characters of a scope or an encoder's name."""
MAX_EMBEDDING = 16_384
"""Bytes."""
_UNIT = 0.01
"""What an embedding's length may be off by: float16 keeps three digits."""


def wish(request: worker_pb2.ExecuteRequest) -> Keep | None:
    """How captures are to be kept; None where they are to be sent back."""
    if not request.HasField("keep"):
        return None
    keep = request.keep
    return Keep(
        embedding=keep.embedding,
        encoder=keep.encoder,
        time_to_live=seconds(keep.time_to_live) if keep.HasField("time_to_live") else None,
    )


def violations(request: worker_pb2.ExecuteRequest) -> Iterator[Violation]:
    """What is wrong with it."""
    if len(request.scope) > MAX_NAME:
        yield Violation("scope", f"must be at most {MAX_NAME} characters")
    if not request.HasField("keep"):
        return
    keep = request.keep
    if not 1 <= len(keep.encoder) <= MAX_NAME:
        yield Violation("keep.encoder", f"must be 1 to {MAX_NAME} characters")
    if not _is_unit(keep.embedding):
        yield Violation("keep.embedding", "must be float16, little-endian, of unit length")
    if keep.HasField("time_to_live") and seconds(keep.time_to_live) <= 0:
        yield Violation("keep.time_to_live", "must be positive")


def _is_unit(embedding: bytes) -> bool:
    if not 2 <= len(embedding) <= MAX_EMBEDDING or len(embedding) % 2:
        return False
    length = np.linalg.norm(np.frombuffer(embedding, "<f2").astype(np.float32))
    return bool(abs(length - 1.0) <= _UNIT)
