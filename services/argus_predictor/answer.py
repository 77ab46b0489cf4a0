"""From what a prompt is asked with to the answer: head, priors, starts and drift put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Protocol

from argus_core.spec import Level
from argus_latents.store import Store
from argus_predictor.encoder import Embedded, Encoder
from argus_predictor.heads import Head
from argus_predictor.neighbours import Found, Wanted
from argus_predictor.runtimes import Floats
from argus_protos.v1 import predictor_pb2

PRIOR, MODEL = predictor_pb2.QUALITY_BASIS_PRIOR, predictor_pb2.QUALITY_BASIS_MODEL
BLIND = 0.9
"""Similarity below which no start is offered while no head tells what it is worth."""

Quality = tuple[float, float, "predictor_pb2.QualityBasis.ValueType"]
"""Mean, deviation, basis."""


class Neighbours(Protocol):
    """Earlier prompts whose latents are stored; see `argus_predictor.neighbours`."""

    def starts(
        self, embedding: Floats, scope: str, wanted: Mapping[str, Wanted]
    ) -> Mapping[str, Found]:
        """By level, where there is one."""

    def capture_steps(
        self, embedding: Floats, scope: str, level: str, compatibility: str
    ) -> tuple[int, ...]:
        """Steps after which a latent is worth keeping; ascending."""

    async def follow(self, store: Store) -> None:
        """Hear of entries, for ever."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """See the proto's `PredictRequest`."""

    prompt: str
    scope: str = ""
    compatibility: Mapping[str, str]
    with_embedding: bool = False


def prior_deviation(quality: float) -> float:
    """Standard deviation of a prompt's quality about the prior, 0 to 1/2.

    Nothing is known of the spread, so it is the widest that is plausible: a third of what a
    quality between 0 and 1 with this mean can have at most.
    """
    return sqrt(quality * (1 - quality)) / 3


class Answers:
    """Answers questions, many at once; for any thread, and never waits for anything."""

    def __init__(
        self,
        ladder: Sequence[Level],
        *,
        encoder: Encoder | None = None,
        neighbours: Neighbours | None = None,
        correction: Callable[[str], float] = lambda _: 0.0,
    ) -> None:
        """Without an encoder only priors are told."""
        self._ladder, self.encoder, self._neighbours = tuple(ladder), encoder, neighbours
        self._correction = correction
        self._wholes = {level.name: _whole(level, ladder) for level in ladder}

    def answer(
        self, questions: Sequence[Question], head: Head | None
    ) -> list[predictor_pb2.PredictResponse]:
        """An answer a question, in their order."""
        if self.encoder is None:
            return [self._put(question, None, None, {}) for question in questions]
        read = self.encoder.read([question.prompt for question in questions])
        predicted = self._predicted([question.prompt for question in questions], read, head)
        return [
            self._put(question, embedded, head, known)
            for question, embedded, known in zip(questions, read, predicted, strict=True)
        ]

    def raw(
        self, prompts: Sequence[str], starts: Sequence[tuple[str, float | None]], head: Head | None
    ) -> list[float]:
        """What a head says of prompts at (level, similarity of its start), without correction."""
        read = self.encoder.read(prompts) if self.encoder else []
        known = self._predicted(prompts, read, head) if read else [{} for _ in prompts]
        levels = {level.name: level for level in self._ladder}
        return [
            self._quality(levels[name], near, head, row)[0]
            for (name, near), row in zip(starts, known, strict=True)
        ]

    def _predicted(
        self, prompts: Sequence[str], read: Sequence[Embedded], head: Head | None
    ) -> list[Mapping[str, Quality]]:
        assert self.encoder is not None
        if head is None:
            return [{} for _ in prompts]
        found = head.predict(prompts, self.encoder.embed(prompts))
        return [
            {
                level: (float(mean), float(deviation), MODEL)
                for level, mean, deviation in zip(head.levels, means, deviations, strict=True)
            }
            for means, deviations in zip(found.mean, found.deviation, strict=True)
        ]

    def _put(
        self, question: Question, embedded: Embedded | None, head: Head | None,
        known: Mapping[str, Quality],
    ) -> predictor_pb2.PredictResponse:  # fmt: skip
        starts = self._starts(question, embedded, head)
        response = predictor_pb2.PredictResponse(
            qualities=[
                self._level(level, question, embedded, head, known, starts.get(level.name))
                for level in self._ladder
            ],
            model_version=head.version if head else "prior",
        )
        if embedded is not None and self.encoder is not None:
            response.encoder = self.encoder.name
            response.tokens_left_out = embedded.left_out
            if question.with_embedding:
                response.embedding = embedded.vector.astype("<f2").tobytes()
        return response

    def _level(  # noqa: PLR0917
        self, level: Level, question: Question, embedded: Embedded | None, head: Head | None,
        known: Mapping[str, Quality], start: Found | None,
    ) -> predictor_pb2.LevelQuality:  # fmt: skip
        near = start.similarity if start else None
        mean, deviation, basis = self._quality(level, near, head, known)
        message = predictor_pb2.LevelQuality(
            level=level.name,
            quality=min(max(mean + self._correction(level.name), 0.0), 1.0),
            deviation=min(max(deviation, 0.0), 1.0),
            basis=basis,
        )
        if start:
            message.start.key, message.start.step = start.key, start.step
            message.start.similarity = min(max(start.similarity, -1.0), 1.0)
        fits = question.compatibility.get(level.name)
        if fits is not None and self._neighbours and embedded:
            steps = self._neighbours.capture_steps(
                embedded.vector, question.scope, level.name, fits
            )
            message.capture_steps.extend(steps)
        return message

    def _quality(
        self, level: Level, near: float | None, head: Head | None, known: Mapping[str, Quality]
    ) -> Quality:
        prior = (level.quality, prior_deviation(level.quality), PRIOR)
        if not level.skipped_steps:
            return known.get(level.name, prior)
        whole = self._wholes[level.name]
        if near is None or head is None or whole not in known:
            return prior
        full, deviation, _ = known[whole]
        mean, spread = head.started(
            level.name,
            full=full,
            deviation=deviation,
            similarity=near,
            skipped_share=level.skipped_steps / level.steps,
        )
        return float(mean), float(spread), MODEL

    def _starts(
        self, question: Question, embedded: Embedded | None, head: Head | None
    ) -> Mapping[str, Found]:
        if self._neighbours is None or embedded is None:
            return {}
        wanted = {
            level.name: Wanted(
                compatibility=question.compatibility[level.name], step=level.skipped_steps
            )
            for level in self._ladder
            if level.skipped_steps and level.name in question.compatibility
        }
        if not wanted:
            return {}
        found = self._neighbours.starts(embedded.vector, question.scope, wanted)
        told = head.levels if head else ()
        return {
            name: start
            for name, start in found.items()
            if self._wholes[name] in told or start.similarity >= BLIND
        }


def _whole(level: Level, ladder: Sequence[Level]) -> str:
    """The level of the same drawing without a start; its own name where there is none."""
    for other in ladder:
        same = (other.variant, other.steps, other.guidance_scale) == (
            level.variant, level.steps, level.guidance_scale,
        )  # fmt: skip
        if same and not other.skipped_steps:
            return other.name
    return level.name
