"""The paper's own policy: allocation, preferred levels, distribution aligner, switch of strategy.

Two strategies. Skipping steps: the levels of the variants that can begin from a cached latent;
where those cannot carry the demand all levels are open. Smaller models: all levels that need no
latent. When fetches slow or fail, the next turn of the control loop takes up the second. At least
one worker then stays where a fetch can be tried now and then; when the store answers well again,
the first strategy is taken up again. Where no level needs a latent there is but the second.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from math import inf

from argus_core.policies.aligner import align
from argus_core.policies.allocation import Counts, fill
from argus_core.policies.health import Health
from argus_core.policies.policy import Duty, Floor, Prompt
from argus_core.policies.proteus import Allocated
from argus_core.policies.turns import Turns

TOLERANCE = 0.01
"""A level predicted worse than the best by no more than this is as good."""

_RECENT = 1000
"""Prompts in the histogram."""
_PROBE = 10.0
"""Seconds between two tries of a store that was given up; at worst twice that."""
_ROOM = 1.2
"""Times what drawing without a latent may take, that a request has left when it is tried with."""
_SLOW = 0.1
"""Of an image's seconds: a fetch that takes so much longer than usual is no use."""


class Paper(Allocated):
    """See the module."""

    name = "paper"

    def prepare(self) -> None:
        """Sort the levels by strategy."""
        super().prepare()
        levels, setting = self.setting.levels, self.setting
        starts = [i for i in self.open if levels[i].needs_start]
        variants = {levels[i].variant for i in starts}
        self._skipping = tuple(i for i in self.open if levels[i].variant in variants)
        self._smaller = tuple(i for i in self.open if not levels[i].needs_start)
        self._probe = starts[0] if starts else None
        """The level that a fetch is tried at while the store is given up."""
        self._keep: tuple[int, ...] = ()
        """Levels whose workers can try it."""
        bearable = inf
        if self._probe is not None:
            variant = levels[self._probe].variant
            self._keep = tuple(i for i in self._smaller if levels[i].variant == variant)
            if not self._keep:
                self._keep = (self._probe,)
                self._smaller = (*self._smaller, self._probe)
            alone = min(setting.seconds(self._probe, gpu) for gpu in self.paces)
            bearable = setting.fetch_seconds + _SLOW * alone
        self._health = Health(bearable=bearable)
        self._tried = 0.0
        self._rows = [Turns([0.0] * len(levels)) for _ in levels]
        self._wanted = 0
        self._recent: deque[int] = deque(maxlen=_RECENT)
        self._levels: tuple[int, ...] = ()
        """That the standing plan may use."""

    def plan(self, demand: float, available: Mapping[str, int]) -> Counts:
        """The best allocation over the levels of the strategy."""
        self._skips = self._health.well and bool(self._skipping)
        if not self._skips:
            self._use(self._smaller)
            return self.allocator.counts(demand, available, levels=self._levels, keep=self._keep)
        self._use(self._skipping if self._carry(available) >= demand else self.open)
        return self.allocator.counts(demand, available, levels=self._levels)

    def _carry(self, available: Mapping[str, int]) -> float:
        """Images a second that skipping steps can carry at most."""
        return sum(
            n * max(self.paces[gpu][i] for i in self._skipping) for gpu, n in available.items()
        )

    def _use(self, levels: tuple[int, ...]) -> None:
        """Have prompts prefer among these levels; what others preferred is no guide to them."""
        if levels != self._levels:
            self._levels = levels
            self._recent.clear()
            self._recent.extend(preferred(p.qualities, levels) for p in self.setting.sample)

    def duty(self, level: int) -> Duty:
        """While the store is given up, those who can try it may."""
        post = self.setting.post(level)
        if self._skips or self._probe is None or level not in self._keep or level == self._probe:
            return post
        return Duty(post.loadout, (level, self._probe))

    def is_posted(self, level: int) -> bool:
        """All are, but the level that is only tried."""
        return level != self._probe or level in self._levels

    def unsettled(self) -> bool:
        """Whether the store has come or gone since the last plan."""
        return bool(self._skipping) and self._skips != self._health.well

    def loads(self, capacity: Sequence[float], servers: Sequence[int]) -> Sequence[float]:
        """The allocation's: better levels are filled first."""
        del servers
        return fill(capacity, self.setting.qualities, self.demand)

    def share(self, loads: Sequence[float]) -> None:
        """Align what recent prompts prefer with what there is."""
        counts = Counter(self._recent)
        histogram = [float(counts[level]) for level in self.queue_of] if counts else loads
        table = align(histogram, loads) if sum(loads) > 0 else [[0.0] * len(loads)] * len(loads)
        for row, shares in zip(self._rows, table, strict=True):
            row.change(shares)

    def note(self, prompt: Prompt, *, new: bool) -> None:
        """Count an arrival, and what it prefers."""
        super().note(prompt, new=new)
        self._wanted = preferred(prompt.qualities, self._levels)
        if new:
            self._recent.append(self._wanted)

    def choose(self, prompt: Prompt) -> int:
        """By the row of the level that the prompt prefers."""
        del prompt
        return self._rows[self._wanted].next()

    def bind(self, prompt: Prompt, level: int, remaining: float, duty: Duty, floor: Floor) -> int:
        """The level it was placed at; now and then one that tries the store."""
        own = duty.levels[0]
        if len(duty.levels) == 1 or self._probe is None:
            return super().bind(prompt, level, remaining, duty, floor)
        since = floor.now - self._tried
        roomy = remaining >= _ROOM * self.cost(own, floor.worker)
        if since >= 2 * _PROBE or (roomy and since >= _PROBE):
            self._tried = floor.now
            return self._probe
        return super().bind(prompt, own, remaining, duty, floor)

    def fetched(self, level: int, seconds: float, found: bool, now: float) -> None:  # noqa: FBT001
        """Learn how the store does."""
        del level, now
        self._health.heard(seconds, found=found)


def preferred(qualities: Sequence[float], levels: Sequence[int]) -> int:
    """The cheapest of the levels, given from dearest to cheapest, that is as good as the best."""
    if not levels:
        return 0
    enough = max(qualities[i] for i in levels) - TOLERANCE
    return next(i for i in reversed(levels) if qualities[i] >= enough)
