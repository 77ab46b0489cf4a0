"""How long processes waited for a processor: what a measurement owes to whoever else was at work.

Linux tells by thread how long it was ready to run and did not (`schedstat`). A request during which
no thread of those who served it waited was not disturbed by others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from argus_cli.load.record import Record
from argus_cli.load.sending import Load, Sending
from argus_client import Order

SLIGHT = 0.001
"""Seconds; who waited less was not disturbed."""


class Waits:
    """Of all threads of some processes."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._folders = [Path(f"/proc/{pid}/task") for pid in pids]

    def seconds(self) -> float:
        """That they have waited so far; threads that have ended are left out."""
        total = 0
        for folder in self._folders:
            for thread in folder.iterdir():
                with suppress(OSError):
                    total += int((thread / "schedstat").read_text().split()[1])
        return total / 1e9


class Watched:
    """Notes for each request of a load how long they waited while it was under way."""

    def __init__(self, waits: Waits) -> None:
        self._waits = waits
        self._begun: dict[tuple[int, float], float] = {}
        self._waited: dict[int, float] = {}

    def order(self, sending: Sending) -> Order:
        """Give it to `Load`; a request is told by its prompt and moment."""
        self._begun[sending.prompt, sending.at] = self._waits.seconds()
        return sending.order

    def follow(self, load: Load) -> Callable[[], None]:
        """What to tell when a request of this load has ended."""

        def ended() -> None:
            record = load.records[-1]
            begun = self._begun.pop((record.prompt, record.intended), None)
            if begun is not None:
                self._waited[record.number] = self._waits.seconds() - begun

        return ended

    def undisturbed(self, records: Sequence[Record]) -> list[Record]:
        """Those during which nobody waited."""
        return [r for r in records if self._waited.get(r.number, SLIGHT) < SLIGHT]
