"""Workers that have a slot free, in the order in which they are asked what they would draw.

Those that hold the fewest variants come first, as others may be needed elsewhere; of these the
emptiest; of these the first by address. Workers of a kind, which hold the same with the same number
of slots free, would draw the same: where one has no use for anything that waits, none of them has.
So who asks does as much as there are kinds, however many workers are free.

Model: lives on the router's event loop. Of a worker it knows what was free when it was last looked
at (`look`), and looks again before it asks. Whoever gives a worker a slot back looks at it.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Hashable, Iterable, Sized
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from argus_router.fleet import Worker


class Kind(NamedTuple):
    """What is the same of workers that would draw the same."""

    variants: int
    """That it holds."""
    busy: int
    """Minus the slots that are free."""
    alike: Hashable
    """See `Worker.alike`."""
    alone: str
    """Address of one that may draw only what goes with what it draws; else empty."""


class Free:
    """See the module."""

    def __init__(self) -> None:
        self._kinds: dict[Worker, Kind] = {}
        self._workers: dict[Kind, list[tuple[str, Worker]]] = {}
        """In the order of their addresses, which differ."""

    def meet(self, workers: Iterable[Worker]) -> None:
        """The workers are these now, and anything about them may have changed."""
        self._kinds.clear()
        self._workers.clear()
        for worker in workers:
            self.look(worker)

    def look(self, worker: Worker) -> Kind | None:
        """Take note of a worker as it is now: its kind; None where nothing of it is free."""
        kind, known = _kind(worker), self._kinds.get(worker)
        if kind != known:
            if known is not None:
                self._forget(worker, known)
            if kind is not None:
                self._kinds[worker] = kind
                insort(self._workers.setdefault(kind, []), (worker.address, worker))
        return kind

    def offer(self, waiting: Sized, fill: Callable[[Worker], bool]) -> None:
        """Have one after the other draw, until nothing waits or none has use for what does.

        Args:
            waiting: what waits.
            fill: has a worker draw of it what it can, and tells whether that was any.
        """
        if not len(waiting):
            return
        turns, content = [self._turn(kind) for kind in self._workers], set[Kind]()
        heapify(turns)
        while turns and len(waiting):
            kind = heappop(turns)[-1]
            if kind in content or kind not in self._workers:
                continue
            worker = self._workers[kind][0][1]
            if self.look(worker) == kind and not fill(worker):
                content.add(kind)
                continue
            for other in (self.look(worker), kind):
                if other in self._workers and other not in content:
                    heappush(turns, self._turn(other))

    def _turn(self, kind: Kind) -> tuple[int, int, str, Kind]:
        """When it is asked: no two kinds have the same first address."""
        return kind.variants, kind.busy, self._workers[kind][0][0], kind

    def _forget(self, worker: Worker, kind: Kind) -> None:
        del self._kinds[worker]
        mine = self._workers[kind]
        # By the address alone, which no other worker has: workers have no order.
        del mine[bisect_left(mine, (worker.address,))]
        if not mine:
            del self._workers[kind]


def _kind(worker: Worker) -> Kind | None:
    if not (free := worker.free):
        return None
    alone = worker.address if worker.most is not None and worker.running else ""
    return Kind(len(worker.loadout), -free, worker.alike, alone)
