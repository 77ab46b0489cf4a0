"""One image of a request, from arrival to its one final answer.

A job waits, runs, perhaps waits again after a lost worker, and ends once. Only the dispatcher
moves it; what it yields goes to its sink.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf
from typing import Protocol

from argus_core.choice import Decision
from argus_core.errors import ArgusError
from argus_core.queue import Rank
from argus_protos.v1 import worker_pb2
from argus_router.answer import Start
from argus_router.request import Terms

_OVERHEAD = 2048
"""Bytes that a job takes beside its texts, whose letters are counted as four each."""


class JobState(StrEnum):
    """Where a job stands: waiting and running alternate until it ends."""

    WAITING = "waiting"
    RUNNING = "running"
    ENDED = "ended"


class Sink(Protocol):
    """Who hears of a job; none of these may wait."""

    def accepted(self, job: Job) -> None:
        """Its first level was chosen."""

    def progressed(self, job: Job, progress: worker_pb2.ExecuteProgress) -> None:
        """A step was done."""

    def finished(self, job: Job, result: worker_pb2.ExecuteResult) -> None:
        """It is drawn; called once, and not after `failed`."""

    def failed(self, job: Job, error: ArgusError) -> None:
        """It cannot be had; called once, and not after `finished`."""


@dataclass(frozen=True, kw_only=True)
class Keeping:
    """What to keep of an image, for later ones to begin from."""

    steps: Mapping[str, Sequence[int]]
    """By level: after which to keep the latent; ascending."""
    embedding: bytes
    """Of the prompt: unit length, float16, little-endian."""
    encoder: str
    seconds: float
    """How long the latents may be used."""
    uses: float = 0.0
    """Times that the prompt is expected to come again."""


@dataclass(eq=False, kw_only=True)
class Job:
    """One image to draw. Times are seconds on the router's clock."""

    request_id: str
    index: int
    terms: Terms
    seed: int
    rank: Rank
    arrived: float
    ready: float
    """When its quality was known and it could be queued."""
    qualities: Mapping[str, float]
    """Predicted, by level, 0 to 1; not of levels that it has no start for."""
    sink: Sink
    model_version: str = ""
    """Of the head that predicted; empty where the priors did, for want of an answer."""
    scope: str = ""
    """Whose latents it reads and keeps."""
    starts: Mapping[str, Start] = field(default_factory=dict)
    """By level with skipped steps; those that were not to be had are taken out."""
    keeping: Keeping | None = None
    state: JobState = JobState.WAITING
    decision: Decision | None = None
    decided: float = -inf
    """When that was, if it could have begun at once then."""
    quickest: Mapping[str, int] = field(default_factory=dict)
    """By variant: the quickest level open to it, an index into the ladder."""
    expected: float = 0.0
    """Seconds that whoever draws it is expected to take."""
    tenant: str = ""
    """Whom it counts for: `Tenants.key`."""
    booked: float = 0.0
    """Seconds of worker time that were counted against its tenant's quota beforehand."""
    attempts: int = 0
    """Times it was begun."""
    rethought: bool = False
    """Whether its level was chosen anew because it came to its turn too late."""
    worker: str = ""
    began: float = 0.0
    """When it was last handed to a worker."""
    step: int = 0
    """The furthest that was told of since it was last taken from the queue."""
    fetched: float = 0.0
    """Seconds that fetching its start took; 0 where there was none."""
    context: Context = field(default_factory=copy_context, repr=False)
    """That its attempts run in: of its request, whose trace and name go with it."""

    @property
    def deadline(self) -> float:
        """When it must be done."""
        return self.rank.deadline

    @property
    def bytes(self) -> int:
        """That it keeps while it waits: what its request says, and what comes with it."""
        request, keeping = self.terms.request, self.keeping
        kept = len(keeping.embedding) if keeping is not None else 0
        return _OVERHEAD + kept + len(request.prompt) * 4 + len(request.negative_prompt) * 4

    @property
    def settled(self) -> Decision:
        """Its decision, once there is one."""
        assert self.decision is not None, "a job is decided before it runs"
        return self.decision

    @property
    def start(self) -> Start | None:
        """What it begins from at the level decided; None for noise."""
        return self.starts.get(self.settled.level.name)

    def lose(self, start: Start) -> None:
        """A latent was not to be had, and so none that was kept with it."""
        self.starts = {name: s for name, s in self.starts.items() if s.key != start.key}
