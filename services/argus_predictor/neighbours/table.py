"""What is known of every entry, in columns: a million of them take some 200 MB.

A slot is an entry's place; it is reused once its entry is gone. Not safe for threads.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from argus_core import keeping
from argus_core.keeping import Habits
from argus_latents.store import Entry

NOWHERE = -1
"""The group of an entry that is not found: of another encoder."""
_COLUMNS = np.dtype(
    [
        ("key", "V16"),
        ("group", "i4"),
        ("taken", "i8"),
        ("created", "f8"),
        ("expires", "f8"),
        ("seconds", "f4"),  # that a use saves, of those to come
        ("uses", "f4"),  # faded, as of `used_at`
        ("used_at", "f8"),
        ("alive", "?"),
    ]
)


class Table:
    """Entries by slot and by key."""

    def __init__(self) -> None:
        self._rows = np.zeros(1024, _COLUMNS)
        self._slots: dict[bytes, int] = {}
        self._free: list[int] = []
        self._top = 0
        self.bytes = 0
        """That all entries take."""

    def __len__(self) -> int:
        return len(self._slots)

    def add(self, entry: Entry, *, group: int, seconds: float) -> int:
        """An entry that is not there; its slot."""
        slot = self._free.pop() if self._free else self._fresh()
        key = bytes.fromhex(entry.key)
        self._rows[slot] = (
            key, group, entry.bytes, entry.created, entry.expires, seconds, 0.0, entry.created,
            True,
        )  # fmt: skip
        self._slots[key] = slot
        self.bytes += entry.bytes
        return slot

    def slot(self, key: str) -> int | None:
        """Of an entry; None where it is not there."""
        return self._slots.get(bytes.fromhex(key))

    def key(self, slot: int) -> str:
        """Of the entry there."""
        return bytes(self._rows["key"][slot]).hex()

    def group(self, slot: int) -> int:
        """Of the entry there; `NOWHERE` for none."""
        return int(self._rows["group"][slot])

    def living(self, slots: NDArray[np.int64], now: float) -> list[tuple[int, str, float]]:
        """Of those that have not expired: place among `slots`, key, share of life left, 0 to 1."""
        rows = self._rows[slots]
        left = (rows["expires"] - now) / np.maximum(rows["expires"] - rows["created"], 1e-9)
        keys = rows["key"].tolist()
        return [
            (at, keys[at].hex(), min(share, 1.0))
            for at, share in enumerate(left.tolist())
            if share > 0
        ]

    def used(self, slot: int, at: float, habits: Habits) -> None:
        """An entry was of use."""
        row = self._rows[slot]
        elapsed = at - float(row["used_at"])
        if elapsed >= 0:
            row["uses"] = 1 + keeping.faded(float(row["uses"]), elapsed, habits)
            row["used_at"] = at
        else:
            row["uses"] += keeping.faded(1.0, -elapsed, habits)

    def remove(self, slot: int) -> None:
        """Forget the entry there."""
        row = self._rows[slot]
        self.bytes -= int(row["taken"])
        del self._slots[bytes(row["key"])]
        row["alive"] = False
        self._free.append(slot)

    def expired(self, now: float) -> NDArray[np.int64]:
        """Slots of what may not be used any longer."""
        rows = self._rows[: self._top]
        return np.flatnonzero(rows["alive"] & (rows["expires"] <= now))

    def benefits(
        self, now: float, habits: Habits
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
        """Slots of all entries, their benefit, and the bytes that they take."""
        slots = np.flatnonzero(self._rows["alive"][: self._top])
        rows = self._rows[slots]
        found = keeping.benefit(
            uses=keeping.faded(rows["uses"].astype(np.float64), now - rows["used_at"], habits),
            idle=now - rows["used_at"],
            left=rows["expires"] - now,
            seconds=rows["seconds"].astype(np.float64),
            taken=np.maximum(rows["taken"], 1).astype(np.float64),
            habits=habits,
        )
        return slots, np.where(rows["group"] == NOWHERE, 0.0, found), rows["taken"]

    def life(self) -> float:
        """Seconds for which entries may be used, on average; there must be one."""
        rows = self._rows[: self._top]
        return float((rows["expires"] - rows["created"])[rows["alive"]].mean())

    def _fresh(self) -> int:
        if self._top == len(self._rows):
            self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
        self._top += 1
        return self._top - 1
