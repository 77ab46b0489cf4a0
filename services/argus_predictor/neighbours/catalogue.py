"""All entries and the groups that they are found in.

Model: one thread changes it, any may ask; `turns` lets a question in between any two changes, so
nobody waits for longer than one of them takes. The changing thread reads without a turn.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from argus_core import keeping
from argus_core.keeping import Habits
from argus_latents.store import Added, Change, Entry, Gone, Used
from argus_predictor.neighbours.group import Group
from argus_predictor.neighbours.table import NOWHERE, Table
from argus_predictor.neighbours.turns import Turns
from argus_predictor.neighbours.vectors import Floats, read, rounded
from argus_predictor.neighbours.worth import Worth

_AROUND = 8
"""Nearest entries of a group that are looked at, unless those are all expired."""


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """An entry, as seen from a prompt."""

    key: str
    similarity: float
    """Cosine, -1 to 1."""
    steps: tuple[int, ...]
    """Of the whole schedule that latents were kept after."""
    left: float
    """Share of its life that is left, 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How much is known at most; beyond it what is of least benefit is forgotten."""

    entries: int = 1_000_000
    groups: int = 65_536
    """Of entries alike; more are not found at all."""


class Catalogue:
    """Hears what became of entries, and tells who is near."""

    def __init__(
        self, *, encoder: str, dimensions: int, worth: Worth, habits: Habits, bounds: Bounds
    ) -> None:
        self.turns, self.table = Turns(), Table()
        self._encoder, self._dimensions = encoder, dimensions
        self.bounds = bounds
        self._worth, self._habits = worth, habits
        self._groups: dict[int, Group] = {}
        self._numbers: dict[tuple[str, str], dict[tuple[int, ...], int]] = {}
        self._names: dict[int, tuple[str, str]] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self.table)

    def near(self, row: Floats, scope: str, compatibility: str, now: float) -> list[Neighbour]:
        """Some of the nearest entries that have not expired, nearest first.

        Of each set of steps there is the very nearest, if there is any.
        """
        found: list[Neighbour] = []
        with self.turns:
            for number in self._numbers.get((scope, compatibility), {}).values():
                found += self._near(self._groups[number], row, now)
        return sorted(found, key=lambda entry: (-entry.similarity, entry.key))

    def hear(self, changes: Iterable[Change], now: float) -> None:
        """Note what became of entries."""
        for change in changes:
            match change:
                case Added():
                    self._add(change.entry, now)
                case Used():
                    self._used(change)
                case Gone():
                    self.forget([change.key])

    def forget(self, keys: Iterable[str]) -> None:
        """Have entries be found no longer."""
        for key in keys:
            if (slot := self.table.slot(key)) is not None:
                with self.turns:
                    self._remove(slot)

    def expire(self, now: float) -> list[str]:
        """Forget what has expired, and tell which that was."""
        keys = [self.table.key(int(slot)) for slot in self.table.expired(now)]
        self.forget(keys)
        return keys

    def least(self, now: float, *, bytes_over: int, entries_over: int) -> tuple[list[str], float]:
        """What to let go for so much room, and the greatest benefit among it."""
        slots, benefits, taken = self.table.benefits(now, self._habits)
        which = keeping.to_evict(benefits, taken, bytes_over=bytes_over, entries_over=entries_over)
        keys = [self.table.key(int(slot)) for slot in slots[which]]
        return keys, float(benefits[which].max()) if len(which) else 0.0

    def _add(self, entry: Entry, now: float) -> None:
        if self.table.slot(entry.key) is not None or entry.expires <= now:
            return
        if len(self.table) >= self.bounds.entries:
            keys, _ = self.least(now, bytes_over=0, entries_over=1 + self.bounds.entries // 100)
            self.forget(keys)
        row = read(entry.embedding, self._dimensions) if entry.encoder == self._encoder else None
        number = NOWHERE if row is None else self._number(entry)
        seconds = entry.seconds_per_step * self._worth.steps_saved(entry.steps)
        slot = self.table.add(entry, group=number, seconds=seconds)
        if row is not None and number != NOWHERE:
            self._groups[number].add(slot, rounded(row), self.turns)

    def _number(self, entry: Entry) -> int:
        """Of its group, which is made where there is none; `NOWHERE` where there are too many."""
        name = (entry.scope, entry.compatibility)
        known = self._numbers.get(name, {}).get(entry.steps)
        if known is not None:
            return known
        if len(self._groups) >= self.bounds.groups:
            return NOWHERE
        number, self._next = self._next, self._next + 1
        with self.turns:
            self._groups[number] = Group(entry.steps, self._dimensions)
            self._names[number] = name
            self._numbers.setdefault(name, {})[entry.steps] = number
        return number

    def _used(self, change: Used) -> None:
        if (slot := self.table.slot(change.key)) is not None:
            self.table.used(slot, change.at, self._habits)

    def _remove(self, slot: int) -> None:
        number = self.table.group(slot)
        self.table.remove(slot)
        if number == NOWHERE:
            return
        group = self._groups[number]
        group.remove(slot)
        if not len(group):
            name = self._names.pop(number)
            del self._groups[number], self._numbers[name][group.steps]
            if not self._numbers[name]:
                del self._numbers[name]

    def _near(self, group: Group, row: Floats, now: float) -> list[Neighbour]:
        """Of one group; looks further where all of the nearest have expired."""
        count = _AROUND
        while True:
            slots, near = group.nearest(row, count)
            found = [
                Neighbour(key=key, similarity=float(near[at]), steps=group.steps, left=left)
                for at, key, left in self.table.living(slots, now)
            ]
            if found or count >= len(group):
                return found
            count *= 8


def as_row(embedding: Floats, dimensions: int) -> Floats | None:
    """A prompt's embedding, as it is asked with; None where it is of another size, or zero."""
    row = np.asarray(embedding, np.float32).reshape(-1)
    return row if len(row) == dimensions and np.isfinite(row).all() and row.any() else None
