"""One look around one prompt: what it could begin from, and what is worth keeping of it.

Each compatibility is looked up once, however many levels have it, and is seen as of one moment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from argus_core import keeping
from argus_core.keeping import Habits, Near
from argus_predictor.neighbours.catalogue import Neighbour
from argus_predictor.neighbours.keeper import Room
from argus_predictor.neighbours.worth import Worth


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a level could begin from."""

    compatibility: str
    """See `argus_core.latents`."""
    step: int
    """That it skips to."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A latent to begin from."""

    key: str
    """Of the entry in the store."""
    similarity: float
    """Of the two prompts: cosine, -1 to 1."""
    step: int
    """That it has behind it."""


class Around:
    """See the module; for one thread."""

    def __init__(
        self,
        near: Callable[[str], Sequence[Neighbour]],
        *,
        worth: Worth,
        habits: Habits,
        room: Room,
    ) -> None:
        """`near` looks up the nearest entries of a compatibility, nearest first."""
        self._look, self._seen = near, dict[str, Sequence[Neighbour]]()
        self._worth, self._habits, self._room = worth, habits, room

    def starts(self, wanted: Mapping[str, Wanted]) -> Mapping[str, Found]:
        """By level: the nearest entry that has not expired and has a latent at the step.

        Absent where there is none.
        """
        return {
            name: Found(key=entry.key, similarity=entry.similarity, step=level.step)
            for name, level in wanted.items()
            if (entry := next(
                (one for one in self._near(level.compatibility) if level.step in one.steps), None
            ))
        }  # fmt: skip

    def capture_steps(self, level: str, compatibility: str) -> tuple[int, ...]:
        """Steps after which a latent is worth keeping, were this prompt drawn at this level.

        Ascending; see `argus_core.keeping.worth_keeping`.
        """
        steps = self._worth.steps(level)
        if not steps:
            return ()
        near = [
            Near(similarity=entry.similarity, steps=entry.steps, left=entry.left)
            for entry in self._near(compatibility)
        ]
        return keeping.worth_keeping(
            steps,
            near,
            expected=self._expected(level, steps),
            least=self._room.least,
            filled=self._room.filled,
            habits=self._habits,
        )

    def _expected(self, level: str, steps: Sequence[int]) -> float:
        """Benefit of a new entry; without bound while there is room for any."""
        if self._room.filled < self._habits.roomy:
            return inf
        seconds = self._worth.seconds_per_step(level) * self._worth.steps_saved(steps)
        expected = keeping.benefit(
            uses=0.0,
            idle=0.0,
            left=self._room.life,
            seconds=seconds,
            taken=self._room.bytes_each,
            habits=self._habits,
        )
        return float(expected)

    def _near(self, compatibility: str) -> Sequence[Neighbour]:
        if compatibility not in self._seen:
            self._seen[compatibility] = self._look(compatibility)
        return self._seen[compatibility]
