"""The predictor while nothing is trained: every prompt is worth what its levels' priors say."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import grpc

from argus_core.errors import InvalidRequest, NotBuilt, Violation
from argus_core.spec import Level
from argus_protos.v1 import predictor_pb2
from argus_protos.v1.predictor_pb2_grpc import PredictorServiceServicer

_MAX_PROMPT_BYTES = 8192

Context = grpc.aio.ServicerContext[Any, Any]


def prior_deviation(quality: float) -> float:
    """Standard deviation of a prompt's quality about the prior, 0 to 1/2.

    Nothing is known of the spread, so it is the widest that is plausible: a third of what a
    quality between 0 and 1 with this mean can have at most.
    """
    return math.sqrt(quality * (1 - quality)) / 3


class Priors(PredictorServiceServicer):
    """Answers with the ladder's priors."""

    def __init__(self, ladder: tuple[Level, ...]) -> None:
        self._qualities = [
            predictor_pb2.LevelQuality(
                level=level.name,
                quality=level.quality,
                deviation=prior_deviation(level.quality),
                basis=predictor_pb2.QUALITY_BASIS_PRIOR,
            )
            for level in ladder
        ]

    async def Predict(  # noqa: N802 - the proto's name
        self, request: predictor_pb2.PredictRequest, context: Context
    ) -> predictor_pb2.PredictResponse:
        """See the proto; no neighbours and no embedding, as there is no encoder."""
        del context
        if violations := list(_wrong(request)):
            raise InvalidRequest(violations)
        return predictor_pb2.PredictResponse(qualities=self._qualities, model_version="prior")

    async def AddLabels(  # noqa: N802 - the proto's name
        self, request: predictor_pb2.AddLabelsRequest, context: Context
    ) -> predictor_pb2.AddLabelsResponse:
        """Refused: there is no head to hold them against."""
        del request, context
        raise NotBuilt("this predictor answers with priors and learns nothing")

    async def Reload(  # noqa: N802 - the proto's name
        self, request: predictor_pb2.ReloadRequest, context: Context
    ) -> predictor_pb2.ReloadResponse:
        """Refused: there is no head."""
        del request, context
        raise NotBuilt("this predictor answers with priors and has no head to load")


def _wrong(request: predictor_pb2.PredictRequest) -> Iterator[Violation]:
    if not request.prompt.strip():
        yield Violation("prompt", "must not be empty")
    if len(request.prompt.encode()) > _MAX_PROMPT_BYTES:
        yield Violation("prompt", f"must be at most {_MAX_PROMPT_BYTES} bytes of UTF-8")
