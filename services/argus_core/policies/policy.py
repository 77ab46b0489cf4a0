"""The interface of a policy, and the plain data that it sees.

A policy sees what a real one would: predictions, expected seconds, queues; never the truth
behind a prediction. Levels, queues and workers are known by their index: a policy is asked
hundreds of thousands of times in a run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple, Protocol

from argus_core.planning.problem import LevelProfile
from argus_core.pricing import SHED_LOSS
from argus_core.spread import Loadout

REFUSE = -1
"""Instead of a level: the request is not served, at once on arrival or when its turn comes."""
DONE = -1
"""Instead of a level: the image stands."""


class Prompt(NamedTuple):
    """What is known of a prompt before anything is drawn."""

    qualities: tuple[float, ...]
    """Predicted, by level, 0 to 1."""
    similarity: float = 0.0
    """Cosine to the nearest cached prompt, -1 to 1."""


@dataclass(frozen=True)
class Duty:
    """What a worker shall do."""

    loadout: Loadout
    """Variants that it holds; a change costs their switch seconds."""
    levels: tuple[int, ...]
    """Levels that it serves, of those variants; a change of these alone costs nothing."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a policy knows before the first request."""

    levels: tuple[LevelProfile, ...]
    """The ladder, from dearest to cheapest."""
    workers: tuple[str, ...]
    """GPU type of each worker; workers of a type form a pool of that name."""
    deadline: float
    """From arrival until the image is there: the SLO, in seconds."""
    target: float
    """Share of requests that must meet it, between 0 and 1."""
    qualities: tuple[float, ...]
    """By level: mean over the profile's prompts, 0 to 1."""
    switch_seconds: Mapping[str, float]
    """GPU time lost when a worker loads a variant; 0 where not named."""
    interval: float
    """Seconds between two calls of `tick`."""
    fetch_seconds: float
    """To fetch a start latent while the store is well; part of no level's seconds."""
    rate: float
    """Images a second to expect at first."""
    sample: tuple[Prompt, ...]
    """Prompts like those that will come."""
    confidences: Mapping[int, tuple[float, ...]]
    """By level that has a discriminator: what it said of the images of the profile's prompts."""
    seed: int
    """For whatever a policy draws by lot."""
    loadouts: tuple[Loadout, ...]
    """What a worker may hold."""
    shed_loss: float = SHED_LOSS
    """What refusing a request costs, in quality."""

    @property
    def variants(self) -> tuple[str, ...]:
        """Variants that levels name, in the ladder's order."""
        return tuple(dict.fromkeys(level.variant for level in self.levels))

    def seconds(self, level: int, gpu_type: str) -> float:
        """Of one image alone, fetching left out; infinite where the type cannot."""
        return self.levels[level].seconds.get(gpu_type, inf)

    def duty(self, loadout: Loadout) -> Duty:
        """To serve all levels of the variants held."""
        served = (i for i, level in enumerate(self.levels) if level.variant in loadout)
        return Duty(loadout, tuple(served))

    def post(self, level: int) -> Duty:
        """To serve one level and no other."""
        return Duty((self.levels[level].variant,), (level,))


class Floor:
    """The workers and queues as they are now; kept by who runs them, read by policies.

    All lists but `seconds` are by queue. A worker that serves several queues counts in each.
    """

    def __init__(self, *, levels: int, queues: int) -> None:
        self.now = 0.0
        """Seconds."""
        self.asking = 0
        """Identity of the request that is being placed; it keeps it when its client comes again."""
        self.worker = 0
        """The worker that is being bound, an index into `Setting.workers`."""
        self.joining = -1
        """Level of the batch that the request being bound may join; -1 for none: it is drawn by
        itself, or heads a batch."""
        self.marginal = 0.0
        """Seconds by which it would lengthen that batch."""
        self.version = 0
        """Rises whenever workers have taken up other duties: then `seconds` may have changed."""
        self.seconds = [inf] * levels
        """By level: expected of one image alone, mean over the workers that serve the level now,
        fetching left out; infinite where none does."""
        self.waiting = [0] * queues
        """Requests that wait."""
        self.queued = [0.0] * queues
        """Expected GPU seconds of those that wait, in batches where these gain."""
        self.servers = [0] * queues
        """Workers that serve the queue, those that still load left out."""
        self.busy = [0] * queues
        """Of them: those that draw."""
        self.ends = [0.0] * queues
        """Sum over the busy ones of when they are expected to be free."""
        self.kin: list[tuple[tuple[int, float], ...]] = [()] * queues
        """Other queues that share workers with this one, and the share of their workers."""

    def wait(self, queue: int) -> float:
        """Seconds until a request that joins the queue now begins; infinite if nobody serves it.

        The work waiting and under way, spread evenly over the workers: what it tends to when
        there is a queue, and 0 where a worker is free.
        """
        if self.busy[queue] < self.servers[queue]:
            return 0.0
        return self.backlog(queue)

    def backlog(self, queue: int) -> float:
        """Seconds of work that waits or is under way, a worker; infinite if nobody serves it."""
        servers = self.servers[queue]
        busy = self.busy[queue]
        if not servers:
            return inf
        work = self.queued[queue] + self.ends[queue] - busy * self.now
        for other, share in self.kin[queue]:
            work += self.queued[other] * share
        return work / servers if work > 0 else 0.0


class Policy(Protocol):
    """Decides everything that a system decides; holds the state of one run.

    `queue_of` gives each level's queue: those that share one may be exchanged while they wait.
    """

    name: str
    queue_of: Sequence[int]
    """By level."""

    def start(self, setting: Setting) -> Sequence[Duty]:
        """Begin a run: what each worker holds at first. `queue_of` stands from here on."""

    def tick(self, crew: Sequence[Duty | None], floor: Floor) -> Sequence[Duty] | None:
        """The control loop's turn: what each worker shall do; None to leave all as it is.

        Args:
            crew: what each worker does or has been told to; None for one that is lost.
            floor: as it is now.
        """

    def alarmed(self, floor: Floor) -> bool:
        """Whether the control loop's turn is wanted at once; asked after each arrival."""

    def place(self, prompt: Prompt, remaining: float, floor: Floor) -> int:
        """A request has arrived, with so many seconds left: its level, or `REFUSE`."""

    def bind(self, prompt: Prompt, level: int, remaining: float, duty: Duty, floor: Floor) -> int:
        """A worker is free for a request placed at `level`: the level drawn, or `REFUSE`.

        The answer must be among the duty's levels.
        """

    def steal(self, prompt: Prompt, level: int, remaining: float, duty: Duty, floor: Floor) -> int:
        """A worker has nothing to do, and this heads a queue that it does not serve.

        Returns one of the duty's levels to take it over, or `REFUSE` to leave it there.
        """

    def after(
        self, prompt: Prompt, level: int, confidence: float, remaining: float, floor: Floor
    ) -> int:
        """An image was drawn, and a discriminator says this of it: `DONE`, or the next level."""

    def fetched(self, level: int, seconds: float, found: bool, now: float) -> None:  # noqa: FBT001
        """A start latent was fetched in so many seconds, or given up after them."""

    def retry_after(self, prompt: Prompt, floor: Floor) -> float:
        """Seconds after which a request that was just refused should come again; above 0.

        Infinite where it should not.
        """


class Plain:
    """What most policies do where they do nothing of their own."""

    name = "plain"
    queue_of: Sequence[int] = ()

    def __init__(self) -> None:
        self.setting: Setting

    def tick(self, crew: Sequence[Duty | None], floor: Floor) -> Sequence[Duty] | None:
        """All stays as it is."""
        del crew, floor
        return None

    def alarmed(self, floor: Floor) -> bool:
        """Turns come as they come."""
        del floor
        return False

    def bind(self, prompt: Prompt, level: int, remaining: float, duty: Duty, floor: Floor) -> int:
        """The level it was placed at; nothing is drawn that would be late anyway."""
        del prompt, duty
        return level if floor.seconds[level] <= remaining else REFUSE

    def steal(self, prompt: Prompt, level: int, remaining: float, duty: Duty, floor: Floor) -> int:
        """Never."""
        del prompt, level, remaining, duty, floor
        return REFUSE

    def after(
        self, prompt: Prompt, level: int, confidence: float, remaining: float, floor: Floor
    ) -> int:
        """Every image stands."""
        del prompt, level, confidence, remaining, floor
        return DONE

    def fetched(self, level: int, seconds: float, found: bool, now: float) -> None:  # noqa: FBT001
        """Nothing is learnt."""
        del level, seconds, found, now

    def retry_after(self, prompt: Prompt, floor: Floor) -> float:
        """After the SLO's deadline: most of what waits now is over then."""
        del prompt, floor
        return self.setting.deadline
