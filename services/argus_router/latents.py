"""Which latents a request may begin from, and which are kept of it.

None of either where the picture would not be that of the prompt alone: a negative prompt is not
in the embedding that latents are found by. None to begin from where the client gave a seed: it
promises the same picture again, and a latent changes it. Of several images of one request only the
first begins from a latent and is kept: the others would be like it.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import TypedDict

from argus_core.latents import compatibility
from argus_core.recurrence import Recurrence
from argus_core.spec import ClusterSpec
from argus_router.answer import Prediction, Question, Start
from argus_router.crew import Crew
from argus_router.job import Keeping
from argus_router.request import Request, Terms, scope_of


class OfJob(TypedDict, total=False):
    """What a job is told of latents: fields of `Job`."""

    scope: str
    starts: dict[str, Start]
    keeping: Keeping | None


class Latents:
    """Asks and tells by the cluster's document; of no effect where it has no latent store."""

    def __init__(self, spec: ClusterSpec, crew: Callable[[], Crew]) -> None:
        self._spec, self._crew = spec, crew
        self._recurrence = Recurrence()

    def question(self, terms: Terms) -> Question | None:
        """What to ask the predictor about a request's latents; None for nothing."""
        if self._spec.latent_store is None or terms.request.negative_prompt:
            return None
        by_variant = self._spaces()
        levels = [level for level in self._spec.ladder if level.variant in by_variant]
        if not levels:
            return None
        spaces = {level.name: by_variant[level.variant] for level in levels}
        return Question(
            scope=scope_of(terms.request.tenant, self._spec),
            spaces=spaces,
            compatibility={
                level.name: compatibility(
                    spaces[level.name],
                    steps=level.steps,
                    guidance=level.guidance_scale,
                    width=terms.size.width,
                    height=terms.size.height,
                )
                for level in levels
            },
        )

    def of(self, terms: Terms, prediction: Prediction, index: int) -> OfJob:
        """What the image of this number is told of latents."""
        store, request = self._spec.latent_store, terms.request
        if store is None or index:
            return {}
        scope = scope_of(request.tenant, self._spec)
        keeping = Keeping(
            steps=prediction.captures,
            embedding=prediction.embedding,
            encoder=prediction.encoder,
            seconds=store.time_to_live_seconds,
            uses=self._uses(request, scope),
        )
        return {
            "scope": scope,
            "starts": {} if request.seed is not None else dict(prediction.starts),
            "keeping": keeping if prediction.captures else None,
        }

    def _uses(self, request: Request, scope: str) -> float:
        """Times that the prompt will be asked again by who can begin from its latents."""
        if request.seed is not None or request.negative_prompt:
            return 0.0
        told = f"{scope}\0{request.prompt}".encode(errors="replace")
        return self._recurrence.asked(blake2b(told, digest_size=16).digest())

    def _spaces(self) -> dict[str, str]:
        """By variant: where its latents are, as the first of its holders that knows tells."""
        holders = self._crew().holders.items()
        told = {v: next(filter(None, (w.space(v) for w in ws)), "") for v, ws in holders}
        return {variant: space for variant, space in told.items() if space}
