"""What a prompt is told: quality by level, a start where there is one, and what is worth keeping.

Runs on the desk's thread. A level that begins from a latent is as good as its own schedule drawn in
full, less what beginning from another prompt's latent costs; without a latent it keeps its prior,
as it is closed. What served images turned out to be worth corrects what is predicted (`Bias`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from weakref import WeakKeyDictionary

import numpy as np

from argus_core.latents import in_full
from argus_core.spec import Level
from argus_predictor.encoder import Embedded
from argus_predictor.heads import Head
from argus_predictor.heads.started import StartModel
from argus_predictor.neighbours import Around, Neighbours, Wanted
from argus_protos.v1 import predictor_pb2

PRIOR = "prior"
"""Version of a predictor without a head."""
_CAUTIOUS = StartModel()


class Bias(Protocol):
    """What is known of the error of predictions."""

    def correction(self, level: str) -> float:
        """To be added to what is predicted, -1 to 1."""


@dataclass(frozen=True, kw_only=True)
class Guess:
    """Quality of one level."""

    quality: float
    deviation: float
    learnt: bool


def prior_deviation(quality: float) -> float:
    """Standard deviation of a prompt's quality about the prior, 0 to 1/2.

    Nothing is known of the spread, so it is the widest that is plausible: a third of what a
    quality between 0 and 1 with this mean can have at most.
    """
    return math.sqrt(quality * (1 - quality)) / 3


class Answers:
    """Puts answers together; the head may be another at each call."""

    def __init__(
        self, ladder: Sequence[Level], *, encoder: str, neighbours: Neighbours | None, bias: Bias
    ) -> None:
        self._ladder, self._encoder = tuple(ladder), encoder
        self._neighbours, self._bias = neighbours, bias
        self._full_of = {level.name: (in_full(level, ladder) or level).name for level in ladder}
        self._priors: Mapping[str, Guess] = {
            level.name: Guess(
                quality=level.quality, deviation=prior_deviation(level.quality), learnt=False
            )
            for level in ladder
        }
        self._guessed: WeakKeyDictionary[Embedded, tuple[Head, Mapping[str, Guess]]]
        self._guessed = WeakKeyDictionary()
        """Of prompts that the encoder remembers: by which head, and what it says."""

    def foresee(
        self, prompts: Sequence[str], read: Sequence[Embedded | None], head: Head | None
    ) -> None:
        """Ask the head about several prompts at once, so that each is answered the sooner."""
        new = {
            one: prompt
            for prompt, one in zip(prompts, read, strict=True)
            if one is not None and self._guessed.get(one, (None,))[0] is not head
        }
        if head is None or not new:
            return
        predicted = head.predict([*new.values()], np.stack([one.vector for one in new]))
        for one, means, deviations in zip(new, predicted.mean, predicted.deviation, strict=True):
            found = {**self._priors}
            for name, mean, deviation in zip(head.levels, means, deviations, strict=True):
                if name in found:
                    quality = float(mean)
                    found[name] = Guess(quality=quality, deviation=float(deviation), learnt=True)
            self._guessed[one] = head, found

    def answer(
        self, request: predictor_pb2.PredictRequest, read: Embedded | None, head: Head | None
    ) -> predictor_pb2.PredictResponse:
        """See `PredictorService.Predict`; `read` is None where there is no encoder."""
        guesses = self._guesses(request.prompt, read, head)
        response = predictor_pb2.PredictResponse(
            qualities=self._qualities(request, read, head, guesses),
            model_version=head.version if head else PRIOR,
        )
        if read is not None:
            response.tokens_left_out = read.left_out
            if request.with_embedding:
                response.embedding = read.vector.astype("<f2").tobytes()
                response.encoder = self._encoder
        return response

    def uncorrected(
        self,
        prompt: str,
        read: Embedded | None,
        head: Head | None,
        *,
        level: str,
        similarity: float | None,
    ) -> float | None:
        """Quality that the head alone expects, 0 to 1; None for a level that there is not.

        Args:
            prompt: as it was asked.
            read: of it; None where there is no encoder.
            head: None for the priors.
            level: its name.
            similarity: of the prompt whose latent it began from; None where it began from nothing.
        """
        found = next((each for each in self._ladder if each.name == level), None)
        if found is None:
            return None
        guesses = self._guesses(prompt, read, head)
        if similarity is None or not found.skipped_steps:
            return guesses[level].quality
        return self._started(found, similarity, guesses, head).quality

    def _guesses(
        self, prompt: str, read: Embedded | None, head: Head | None
    ) -> Mapping[str, Guess]:
        if head is None or read is None:
            return self._priors
        self.foresee([prompt], [read], head)
        return self._guessed[read][1]

    def _qualities(
        self,
        request: predictor_pb2.PredictRequest,
        read: Embedded | None,
        head: Head | None,
        guesses: Mapping[str, Guess],
    ) -> list[predictor_pb2.LevelQuality]:
        around = None
        if read is not None and self._neighbours is not None:
            around = self._neighbours.around(read.vector, request.scope)
        starts = self._starts(request, around)
        told = []
        for level in self._ladder:
            guess, start = guesses[level.name], starts.get(level.name)
            if start is not None:
                guess = self._started(level, start.similarity, guesses, head)
            told.append(
                predictor_pb2.LevelQuality(
                    level=level.name,
                    quality=_within(guess.quality + self._bias.correction(level.name)),
                    deviation=guess.deviation,
                    basis=(
                        predictor_pb2.QUALITY_BASIS_MODEL
                        if guess.learnt
                        else predictor_pb2.QUALITY_BASIS_PRIOR
                    ),
                    start=start,
                    capture_steps=self._captures(request, around, level.name),
                )
            )
        return told

    def _starts(
        self, request: predictor_pb2.PredictRequest, around: Around | None
    ) -> Mapping[str, predictor_pb2.Start]:
        wanted = {
            level.name: Wanted(
                compatibility=request.compatibility[level.name], step=level.skipped_steps
            )
            for level in self._ladder
            if level.skipped_steps and level.name in request.compatibility
        }
        found = around.starts(wanted) if around else {}
        return {
            name: predictor_pb2.Start(key=each.key, similarity=each.similarity, step=each.step)
            for name, each in found.items()
        }

    def _captures(
        self, request: predictor_pb2.PredictRequest, around: Around | None, level: str
    ) -> Sequence[int]:
        fits = request.compatibility.get(level)
        return around.capture_steps(level, fits) if around and fits else ()

    def _started(
        self, level: Level, similarity: float, guesses: Mapping[str, Guess], head: Head | None
    ) -> Guess:
        """Quality of a level from a latent; by its schedule in full, if the ladder has that."""
        full = guesses[self._full_of[level.name]]
        share = level.skipped_steps / level.steps
        if head is None:
            quality, deviation = _CAUTIOUS.started(full.quality, full.deviation, similarity, share)
        else:
            quality, deviation = head.started(
                level.name, full=full.quality, deviation=full.deviation,
                similarity=similarity, skipped_share=share,
            )  # fmt: skip
        return Guess(quality=quality, deviation=deviation, learnt=full.learnt)


def _within(quality: float) -> float:
    return min(1.0, max(0.0, quality))
