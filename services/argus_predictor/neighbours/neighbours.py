"""Earlier prompts near to one, of those whose latents are in the store.

Model: `follow` hears the store's journal and has one thread of its own note it in the catalogue;
prompts are answered from memory by whoever asks, so a store that is down or slow costs nothing
but news. Of all replicas one, by lease, tells the store what to let go.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from argus_core import keeping
from argus_core.keeping import Habits, Near
from argus_core.spec import Level
from argus_latents.store import Store
from argus_predictor.neighbours.catalogue import Bounds, Catalogue, as_row
from argus_predictor.neighbours.keeper import Keeper, Pace
from argus_predictor.neighbours.vectors import Floats
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


class Neighbours:
    """See the module; `starts` and `capture_steps` may be called from any thread."""

    def __init__(
        self,
        *,
        ladder: Sequence[Level],
        encoder: str,
        dimensions: int = 384,
        habits: Habits | None = None,
        bounds: Bounds | None = None,
        pace: Pace | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Know nobody yet; `clock` tells seconds since 1970.

        Entries of another encoder are never found, and let go first.
        """
        self._worth, self._habits, self._clock = Worth(ladder), habits or Habits(), clock
        self._catalogue = Catalogue(
            encoder=encoder,
            dimensions=dimensions,
            worth=self._worth,
            habits=self._habits,
            bounds=bounds or Bounds(),
        )
        self._keeper = Keeper(self._catalogue, pace=pace or Pace(), clock=clock)
        self._dimensions = dimensions

    def __len__(self) -> int:
        """Entries that are known, not all of which need be to be found."""
        return len(self._catalogue)

    def starts(
        self, embedding: Floats, scope: str, wanted: Mapping[str, Wanted]
    ) -> Mapping[str, Found]:
        """By level: the nearest entry that has not expired and has a latent at the step.

        Absent where there is none. An embedding of another size or without a direction has no
        neighbours.
        """
        row = as_row(embedding, self._dimensions)
        if row is None:
            return {}
        now = self._clock()
        near = {
            fits: self._catalogue.near(row, scope, fits, now)
            for fits in {level.compatibility for level in wanted.values()}
        }
        return {
            name: Found(key=entry.key, similarity=entry.similarity, step=level.step)
            for name, level in wanted.items()
            if (entry := next(
                (entry for entry in near[level.compatibility] if level.step in entry.steps), None
            ))
        }  # fmt: skip

    def capture_steps(
        self, embedding: Floats, scope: str, level: str, compatibility: str
    ) -> tuple[int, ...]:
        """Steps after which a latent is worth keeping, were this prompt drawn at this level.

        Ascending; see `argus_core.keeping.worth_keeping`.
        """
        row = as_row(embedding, self._dimensions)
        steps = self._worth.steps(level)
        if row is None or not steps:
            return ()
        near = [
            Near(similarity=entry.similarity, steps=entry.steps, left=entry.left)
            for entry in self._catalogue.near(row, scope, compatibility, self._clock())
        ]
        room = self._keeper.room
        seconds = self._worth.seconds_per_step(level) * self._worth.steps_saved(steps)
        expected = keeping.benefit(
            uses=0.0,
            idle=0.0,
            left=room.life,
            seconds=seconds,
            taken=room.bytes_each,
            habits=self._habits,
        )
        return keeping.worth_keeping(
            steps,
            near,
            expected=float(expected),
            least=room.least,
            filled=room.filled,
            habits=self._habits,
        )

    async def follow(self, store: Store) -> None:
        """Hear of entries, and let go what is of least benefit while leading; for ever."""
        with ThreadPoolExecutor(1, thread_name_prefix="neighbours") as thread:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._hear(store, thread))
                tasks.create_task(self._keeper.keep(store, thread))

    async def _hear(self, store: Store, thread: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        async for changes in store.changes():
            await loop.run_in_executor(thread, self._catalogue.hear, changes, self._clock())
            self._keeper.heard(all_told=not changes)
