"""argus.v1.PredictorService: the wire on one side, a desk with one thread on the other.

Model: the event loop checks requests and waits for the desk; whatever reads or changes the head,
the encoder, the labels or their drift runs on the desk's thread, one call at a time. So a head is
swapped between two prompts, and none is answered by half of it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import grpc

from argus_core.errors import (
    ArgusError,
    DeadlineMissed,
    Exhausted,
    InvalidRequest,
    NotBuilt,
    Violation,
)
from argus_predictor.answer import PRIOR, Answers
from argus_predictor.check import wrong_labels, wrong_prediction
from argus_predictor.desk import Desk
from argus_predictor.drift import WINDOW, Drift
from argus_predictor.encoder import Embedded, Encoder
from argus_predictor.heads import Head
from argus_predictor.labels import Label, Labels
from argus_predictor.metrics import Metrics
from argus_predictor.together import MOST, Together
from argus_predictor.versions import Versions
from argus_protos.v1 import predictor_pb2
from argus_protos.v1.predictor_pb2_grpc import PredictorServiceServicer

log = logging.getLogger(__name__)

MANY = 64
"""Prompts of a call, at most."""
_LONGEST = 1.0
"""Seconds that an answer may take where the call does not say."""
_A_SIZE = 64
"""Characters that take as long as all else that a prompt takes, about."""
_PATIENCE = 60.0
"""Seconds for labels and heads: nobody's request waits for them."""

Context = grpc.aio.ServicerContext[Any, Any]


class Predictor(PredictorServiceServicer):
    """See the module; `start` before the first call, `close` after the last."""

    def __init__(
        self,
        *,
        answers: Answers,
        encoder: Encoder | None,
        drift: Drift,
        metrics: Metrics,
        labels: Labels | None = None,
        versions: Versions | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Without an encoder the priors answer; without labels or versions nothing is learnt."""
        self._answers, self._encoder, self._drift = answers, encoder, drift
        self.metrics, self.labels, self.versions = metrics, labels, versions
        self._clock, self.desk = clock, Desk(clock=clock)
        self._together = Together(self._predict)
        self.drifted: frozenset[str] = frozenset()
        """Levels whose quality is not what is predicted; changed on the desk's thread alone."""
        self.head: Head | None = None
        """In use; changed on the desk's thread alone."""

    def start(self) -> None:
        """Load the head to begin with, and open the desk.

        Raises:
            InvalidRequest: the document's head, encoder and ladder do not go together.
        """
        if self.versions is not None and (head := self.versions.first()) is not None:
            self._put_to_use(head)
        self.desk.start()

    def close(self) -> None:
        """Close the desk."""
        self.desk.close()

    async def Predict(  # noqa: N802 - the proto's name
        self, request: predictor_pb2.PredictRequest, context: Context
    ) -> predictor_pb2.PredictResponse:
        """See the proto."""
        began = self._clock()
        answer: predictor_pb2.PredictResponse | Exception
        try:
            _refuse(list(wrong_prediction(request)))
            with self._together.entered(request) as answered:
                answer = await self.desk.do(answered, within=_within(context), size=_size(request))
        except Exception as error:  # noqa: BLE001 - counted, and raised
            answer = error
        self._count(answer, self._clock() - began)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def PredictMany(  # noqa: N802 - the proto's name
        self, request: predictor_pb2.PredictManyRequest, context: Context
    ) -> predictor_pb2.PredictManyResponse:
        """See the proto."""
        began, asked = self._clock(), request.requests
        if not 1 <= len(asked) <= MANY:
            raise InvalidRequest.one("requests", f"must be 1 to {MANY}, are {len(asked)}")
        wrong = [list(wrong_prediction(one)) for one in asked]
        fine = [one for one, violations in zip(asked, wrong, strict=True) if not violations]
        answers = iter(await self._many(fine, within=_within(context)))
        found = [InvalidRequest(found) if found else next(answers) for found in wrong]
        for answer in found:
            self._count(answer, self._clock() - began)
        return predictor_pb2.PredictManyResponse(answers=map(_answer, found))

    async def _many(
        self, requests: Sequence[predictor_pb2.PredictRequest], *, within: float
    ) -> Sequence[predictor_pb2.PredictResponse | Exception]:
        if not requests:
            return []
        parts = [requests[at : at + MOST] for at in range(0, len(requests), MOST)]
        size = sum(map(_size, requests))
        try:
            return await self.desk.do(
                lambda: [answer for part in parts for answer in self._predict(part)],
                within=within,
                size=size,
            )
        except ArgusError as error:
            return [error] * len(requests)

    def _count(self, answer: predictor_pb2.PredictResponse | Exception, seconds: float) -> None:
        outcome = _outcome(answer) if isinstance(answer, Exception) else "ok"
        self.metrics.predictions.labels(outcome).inc()
        self.metrics.seconds.observe(seconds)

    async def AddLabels(  # noqa: N802 - the proto's name
        self, request: predictor_pb2.AddLabelsRequest, context: Context
    ) -> predictor_pb2.AddLabelsResponse:
        """See the proto."""
        del context
        if self.labels is None:
            raise NotBuilt("this predictor has no folder to keep labels in (--state-dir)")
        _refuse(list(wrong_labels(request)))
        labels = [_label(label) for label in request.labels]
        await self.desk.do(lambda: self._learn(labels), within=_PATIENCE)
        return predictor_pb2.AddLabelsResponse()

    async def Reload(  # noqa: N802 - the proto's name
        self, request: predictor_pb2.ReloadRequest, context: Context
    ) -> predictor_pb2.ReloadResponse:
        """See the proto; while the head is read from disk, prompts go on being answered."""
        del context
        if self.versions is None:
            raise NotBuilt("this predictor has no folder to keep heads in (--state-dir)")
        head = await asyncio.to_thread(self.versions.load, request.model_version)
        return await self.swap(head)

    async def swap(self, head: Head) -> predictor_pb2.ReloadResponse:
        """Put a head to use, between two prompts."""
        before = await self.desk.do(lambda: self._put_to_use(head), within=_PATIENCE)
        self.metrics.heads.labels("swapped").inc()
        log.info("head %s is in use; before it %s was", head.version, before)
        return predictor_pb2.ReloadResponse(model_version=head.version, previous_version=before)

    def _predict(
        self, requests: Sequence[predictor_pb2.PredictRequest]
    ) -> list[predictor_pb2.PredictResponse | Exception]:
        prompts = [request.prompt for request in requests]
        found = self._encoder.read(prompts) if self._encoder else [None] * len(prompts)
        self._answers.foresee(prompts, found, self.head)
        return [self._told(*each) for each in zip(requests, found, strict=True)]

    def _told(
        self, request: predictor_pb2.PredictRequest, read: Embedded | None
    ) -> predictor_pb2.PredictResponse | Exception:
        try:
            return self._answers.answer(request, read, self.head)
        except Exception as error:  # noqa: BLE001 - is raised to its own caller
            return error

    def _put_to_use(self, head: Head) -> str:
        if self._encoder is None or head.encoder != self._encoder.name:
            has = "none" if self._encoder is None else self._encoder.name
            problem = f"head {head.version} reads {head.encoder}, and the encoder is {has}"
            raise InvalidRequest.one("predictor.encoder", problem)
        before, self.head = self.head, head
        if self.versions is not None:
            self.versions.use(head)
        self._drift.forget()
        if self.labels is not None:
            for label in self.labels.latest(head.version, WINDOW * len(self._drift.errors())):
                self._hear(label)
        return before.version if before else PRIOR

    def _learn(self, labels: list[Label]) -> None:
        assert self.labels is not None, "asked before"
        labels = [self._as_expected(label) for label in labels]
        self.labels.add(labels)
        errors = self._drift.errors()
        for label in labels:
            if label.level in errors:
                self.metrics.labels.labels(label.level).inc()
            # What another head said tells nothing of this one.
            if label.version == (self.head.version if self.head else PRIOR):
                self._hear(label)
        errors = self._drift.errors()
        self.metrics.tell(errors)
        drifted = frozenset(level for level, error in errors.items() if error.drifted)
        for level in sorted(drifted - self.drifted):
            error = errors[level]
            log.warning(
                "quality at %s drifted: measured is %+.3f +- %.3f from predicted, over %d images",
                level, error.mean, error.margin, error.labels,
            )  # fmt: skip
        for level in sorted(self.drifted - drifted):
            log.info("quality at %s is as predicted again", level)
        self.drifted = drifted

    def _as_expected(self, label: Label) -> Label:
        """The label, with what the head alone expects.

        Held against what was corrected already, an error would seem to go by being corrected for.
        """
        if label.version != (self.head.version if self.head else PRIOR):
            return label
        read = None if self._encoder is None else self._encoder.read([label.prompt])[0]
        expected = self._answers.uncorrected(
            label.prompt, read, self.head, level=label.level, similarity=label.similarity
        )
        return label if expected is None else replace(label, predicted=expected)

    def _hear(self, label: Label) -> None:
        self._drift.heard(label.level, predicted=label.predicted, measured=label.quality)


def _refuse(violations: list[Violation]) -> None:
    if violations:
        raise InvalidRequest(violations)


def _within(context: Context) -> float:
    """Seconds that an answer may take."""
    left = context.time_remaining()
    return _LONGEST if left is None else min(left, _LONGEST)


def _size(request: predictor_pb2.PredictRequest) -> float:
    return 1 + len(request.prompt) / _A_SIZE


def _answer(found: predictor_pb2.PredictResponse | Exception) -> predictor_pb2.PredictAnswer:
    if not isinstance(found, Exception):
        return predictor_pb2.PredictAnswer(response=found)
    if not isinstance(found, ArgusError):
        log.error("a prompt among several failed", exc_info=found)
    return predictor_pb2.PredictAnswer(refused=getattr(found, "code", ArgusError.code))


def _outcome(error: Exception) -> str:
    if isinstance(error, InvalidRequest):
        return "invalid"
    if isinstance(error, Exhausted):
        return "shed"
    return "late" if isinstance(error, DeadlineMissed) else "failed"


def _label(label: predictor_pb2.Label) -> Label:
    return Label(
        prompt=label.prompt,
        level=label.level,
        quality=label.quality,
        predicted=label.predicted_quality,
        similarity=label.similarity if label.HasField("similarity") else None,
        metric=label.metric,
        version=label.model_version,
    )
