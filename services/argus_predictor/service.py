"""The predictor's gRPC front: what is asked is checked here and computed by threads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import grpc

from argus_core.errors import Exhausted
from argus_core.spec import Level
from argus_predictor.answer import Answers, Question
from argus_predictor.batching import Batches
from argus_predictor.checking import check_labels, check_question
from argus_predictor.drift import Drift
from argus_predictor.labels import Labels, Row
from argus_predictor.learning import Learning
from argus_predictor.metrics import Metrics
from argus_predictor.shelf import Shelf
from argus_protos.v1 import predictor_pb2
from argus_protos.v1.predictor_pb2 import PredictResponse
from argus_protos.v1.predictor_pb2_grpc import PredictorServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class Service(PredictorServiceServicer):
    """Predicts, learns, and changes heads; `close` once."""

    def __init__(
        self, ladder: Sequence[Level], answers: Answers, *, shelf: Shelf, drift: Drift,
        labels: Labels | None, metrics: Metrics,
    ) -> None:  # fmt: skip
        self._levels = {level.name for level in ladder}
        self._answers, self._shelf, self._metrics = answers, shelf, metrics
        self._batches = Batches[Question, PredictResponse](self._work)
        self.learning = Learning(
            answers, drift, head=lambda: shelf.head, labels=labels, metrics=metrics
        )
        self._swapping = asyncio.Lock()

    async def Predict(  # noqa: N802 - the proto's name
        self, request: predictor_pb2.PredictRequest, context: Context
    ) -> PredictResponse:
        """See the proto."""
        check_question(request)
        began = time.monotonic()
        question = Question(
            prompt=request.prompt,
            scope=request.scope,
            compatibility=dict(request.compatibility),
            with_embedding=request.with_embedding,
        )
        try:
            return await self._batches.ask(question, patience=context.time_remaining())
        except Exhausted:
            self._metrics.refused.inc()
            raise
        finally:
            self._metrics.seconds.observe(time.monotonic() - began)

    async def AddLabels(  # noqa: N802 - the proto's name
        self, request: predictor_pb2.AddLabelsRequest, context: Context
    ) -> predictor_pb2.AddLabelsResponse:
        """See the proto."""
        del context
        check_labels(request, self._levels)
        await self.learning.add([_row(label) for label in request.labels])
        return predictor_pb2.AddLabelsResponse()

    async def Reload(  # noqa: N802 - the proto's name
        self, request: predictor_pb2.ReloadRequest, context: Context
    ) -> predictor_pb2.ReloadResponse:
        """See the proto."""
        del context
        async with self._swapping:
            now, before = await asyncio.to_thread(self._shelf.reload, request.model_version)
            if now != before:
                self._metrics.swaps.inc()
                await self.learning.swapped()
        return predictor_pb2.ReloadResponse(model_version=now, previous_version=before)

    async def close(self) -> None:
        """Answer what waits, and let go of all."""
        await self._batches.close()
        await self.learning.close()

    def _work(self, questions: Sequence[Question]) -> Sequence[PredictResponse]:
        # Read once: all of a batch is by one head, whatever is swapped meanwhile.
        return self._answers.answer(questions, self._shelf.head)


def _row(label: predictor_pb2.Label) -> Row:
    return Row(
        prompt=label.prompt,
        level=label.level,
        quality=label.quality,
        predicted=label.predicted_quality,
        similarity=label.similarity if label.HasField("similarity") else None,
        metric=label.metric,
        model_version=label.model_version,
    )
