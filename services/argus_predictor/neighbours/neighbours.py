"""Earlier prompts near to one, of those whose latents are in the store.

Model: `follow` hears the store's journal and has one thread of its own note it in the catalogue;
prompts are answered from memory by whoever asks, so a store that is down or slow costs nothing
but news. Of all replicas one, by lease, tells the store what to let go.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from argus_core.keeping import Habits
from argus_core.spec import Level
from argus_latents.store import Store
from argus_predictor.neighbours.around import Around
from argus_predictor.neighbours.catalogue import Bounds, Catalogue, as_row
from argus_predictor.neighbours.keeper import Keeper, Pace
from argus_predictor.neighbours.vectors import Floats
from argus_predictor.neighbours.worth import Worth


class Neighbours:
    """See the module; `around` may be called from any thread."""

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

    @property
    def store_answers(self) -> bool | None:
        """Whether the store that is followed answered lately; None before it was asked."""
        return self._keeper.heard_of

    def around(self, embedding: Floats, scope: str) -> Around | None:
        """Look around a prompt, once for all that is asked of it.

        None for an embedding of another size or without a direction: it has no neighbours.
        """
        row, now = as_row(embedding, self._dimensions), self._clock()
        if row is None:
            return None
        return Around(
            lambda fits: self._catalogue.near(row, scope, fits, now),
            worth=self._worth,
            habits=self._habits,
            room=self._keeper.room,
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
