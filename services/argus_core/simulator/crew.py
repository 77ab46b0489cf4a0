"""The workers of a run: what each does, holds and loads, and who is free.

Model: a worker is lost, loading, busy or free. It serves the queues of its duty's levels while it
is busy or free. A duty with other variants is taken up when the worker is free and few enough
load; one with the same variants at once. Invariants: `floor` counts every worker that serves in
each of its queues; a free worker stands in exactly one stack; at most `limit` load at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

from argus_core.policies.policy import Duty, Floor, Setting
from argus_core.simulator.outcome import Shift

_Post = tuple[int, ...]
"""The queues that a worker serves."""


class Crew:
    """All workers, by number."""

    def __init__(
        self, setting: Setting, queue_of: Sequence[int], floor: Floor, *, switching_share: float
    ) -> None:
        count = len(setting.workers)
        self._setting, self._queue_of, self._floor = setting, queue_of, floor
        self._limit = max(1, int(switching_share * count))
        self._seconds = {
            gpu: tuple(setting.seconds(i, gpu) for i in range(len(setting.levels)))
            for gpu in set(setting.workers)
        }
        self._mixed = len(set(setting.workers)) > 1
        self.duty: list[Duty | None] = [None] * count
        """What a worker serves by; None while it is lost or loads."""
        self.told: list[Duty | None] = [None] * count
        """What it shall do: the newest word."""
        self.lost = [False] * count
        self.seconds = [self._seconds[gpu] for gpu in setting.workers]
        """By worker, by level."""
        self.posts: list[_Post] = [()] * count
        self.ends: list[float] = [inf] * count
        """When a busy worker is expected to be free; infinite for the others."""
        self.standing = 0
        """Workers that stand ready."""
        self.loading: dict[int, Duty] = {}
        self._held: list[tuple[str, ...]] = [()] * count
        self._stacks: dict[_Post, list[int]] = {}
        self._stacks_of: list[list[list[int]]] = []
        self.shifts: list[Shift] = []
        self.switching_seconds = 0.0
        self.switches = 0

    def begin(self, duties: Sequence[Duty]) -> None:
        """All workers hold their first loadout, at no cost."""
        for worker, duty in enumerate(duties):
            self.told[worker] = duty
            self._take_up(worker, duty)
        self.recount()

    def free_worker(self, queue: int) -> int:
        """Take a free worker that serves the queue, the least versatile first; -1 for none."""
        for stack in self._stacks_of[queue]:
            if stack:
                self.standing -= 1
                return stack.pop()
        return -1

    def release(self, worker: int) -> None:
        """A worker is free, and stands ready."""
        self._stacks[self.posts[worker]].append(worker)
        self.standing += 1

    def free(self) -> list[int]:
        """Workers that stand ready."""
        return sorted(worker for stack in self._stacks.values() for worker in stack)

    def one_of_each_kind(self) -> list[int]:
        """A worker that stands ready of every kind: of those alike one speaks for all."""
        gpus, found = self._setting.workers, {}
        for post, stack in self._stacks.items():
            if stack:
                kinds = (
                    {gpus[worker]: worker for worker in stack} if self._mixed else {"": stack[-1]}
                )
                found.update({(post, gpu): worker for gpu, worker in kinds.items()})
        return sorted(found.values())

    def occupy(self, worker: int, until: float) -> None:
        """A worker, taken from the stacks, draws; it is expected to be free then."""
        floor = self._floor
        self.ends[worker] = until
        for queue in self.posts[worker]:
            floor.busy[queue] += 1
            floor.ends[queue] += until

    def done(self, worker: int) -> None:
        """A worker has drawn; it stands in no stack yet."""
        floor, until = self._floor, self.ends[worker]
        self.ends[worker] = inf
        for queue in self.posts[worker]:
            floor.busy[queue] -= 1
            floor.ends[queue] -= until

    def tell(self, duties: Sequence[Duty]) -> None:
        """New duties for all; those that ask for other variants wait until `must_load` says so."""
        for worker, duty in enumerate(duties):
            self.told[worker] = duty
            now_does = self.duty[worker]
            if now_does is not None and now_does != duty and now_does.loadout == duty.loadout:
                self._repost(worker, duty)
        self.recount()

    def must_load(self, worker: int) -> bool:
        """Whether a worker shall hold other variants than it does, and may load now."""
        told = self.told[worker]
        if told is self.duty[worker] or told is None:
            return False
        return told.loadout != self._held[worker] and len(self.loading) < self._limit

    def load(self, worker: int) -> float:
        """A worker that is neither busy nor in a stack loads what it was told; returns seconds."""
        told = self.told[worker]
        assert told is not None, "told nothing"
        self.loading[worker] = told
        self.duty[worker] = None
        self.posts[worker] = ()
        costs: Mapping[str, float] = self._setting.switch_seconds
        seconds = sum(costs.get(v, 0.0) for v in told.loadout if v not in self._held[worker])
        self.switching_seconds += seconds
        self.switches += 1
        return seconds

    def loaded(self, worker: int) -> None:
        """A worker has loaded; its duty is the newest word where that is of the same variants."""
        duty, told = self.loading.pop(worker), self.told[worker]
        same = told is not None and told.loadout == duty.loadout
        self._take_up(worker, told if same and told is not None else duty)

    def lose(self, worker: int) -> None:
        """A worker is gone, with all that it held; it must be neither busy nor in a stack."""
        self.loading.pop(worker, None)
        self.lost[worker], self.duty[worker] = True, None
        self._held[worker], self.posts[worker] = (), ()

    def unstack(self, worker: int) -> bool:
        """Take a worker out of the free ones; whether it stood there."""
        stack = self._stacks.get(self.posts[worker], [])
        if worker not in stack:
            return False
        stack.remove(worker)
        self.standing -= 1
        return True

    def recount(self) -> None:
        """Bring the floor up to date after duties have changed."""
        floor = self._floor
        floor.version += 1
        queues = len(floor.servers)
        floor.servers[:] = [0] * queues
        floor.busy[:] = [0] * queues
        floor.ends[:] = [0.0] * queues
        shared: dict[tuple[int, int], int] = {}
        for worker, post in enumerate(self.posts):
            for queue in post:
                floor.servers[queue] += 1
                if self.ends[worker] < inf:
                    floor.busy[queue] += 1
                    floor.ends[queue] += self.ends[worker]
                for other in post:
                    if other != queue:
                        shared[queue, other] = shared.get((queue, other), 0) + 1
        kin: list[list[tuple[int, float]]] = [[] for _ in range(queues)]
        for (queue, other), both in sorted(shared.items()):
            kin[queue].append((other, both / floor.servers[other]))
        floor.kin[:] = [tuple(k) for k in kin]
        self._expect()
        ranked = sorted(self._stacks, key=lambda post: (len(post), post))
        self._stacks_of = [[self._stacks[p] for p in ranked if q in p] for q in range(queues)]
        self.shifts.append(Shift(at=floor.now, duties=tuple(self.duty)))

    def _expect(self) -> None:
        """What each level is expected to take, from the workers that serve it."""
        crews: dict[tuple[tuple[int, ...], str], int] = {}
        for duty, gpu in zip(self.duty, self._setting.workers, strict=True):
            if duty is not None:
                crews[duty.levels, gpu] = crews.get((duty.levels, gpu), 0) + 1
        total = [0.0] * len(self._floor.seconds)
        count = [0] * len(total)
        for (levels, gpu), workers in crews.items():
            for level in levels:
                total[level] += workers * self._seconds[gpu][level]
                count[level] += workers
        self._floor.seconds[:] = [t / n if n else inf for t, n in zip(total, count, strict=True)]

    def _take_up(self, worker: int, duty: Duty) -> None:
        """A worker that is neither busy nor in a stack serves by a duty, and stands ready."""
        self._held[worker] = duty.loadout
        self._serve(worker, duty)
        self.release(worker)

    def _repost(self, worker: int, duty: Duty) -> None:
        """A worker that serves takes up other levels of the variants that it holds."""
        stands = self.unstack(worker)
        self._serve(worker, duty)
        if stands:
            self.release(worker)

    def _serve(self, worker: int, duty: Duty) -> None:
        self.duty[worker] = duty
        self.posts[worker] = tuple(sorted({self._queue_of[level] for level in duty.levels}))
        self._stacks.setdefault(self.posts[worker], [])
