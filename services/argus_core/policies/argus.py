"""Argus's own policy: the plan's loadouts, and per prompt the level that is worth most.

One queue a variant, late binding: a request is placed at a level when it comes, which decides
its queue, and its level is chosen again, among those of its worker, when its turn comes. The
price of a GPU second follows the backlog within that very request. An idle worker takes over what
is worth more with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from statistics import fmean

from argus_core.admission import Ledger
from argus_core.curve import FREE, PriceCurve, flat
from argus_core.kin import kin, numbered
from argus_core.policies.market import Market
from argus_core.policies.pace import best_batch
from argus_core.policies.policy import REFUSE, Duty, Floor, Plain, Prompt, Setting
from argus_core.policies.pulse import Pulse
from argus_core.policies.steering import Steering
from argus_core.pricing import NONE, pick
from argus_core.starts import Starts

_DOUBT = 100
"""Good fetches after which a bad one is forgotten."""
_REPRICED = 0.1
"""Share by which what prices rest on must change for them to be made anew."""


@dataclass(frozen=True, kw_only=True)
class Ideas:
    """What makes the policy; each can be left out, to see what it is worth."""

    prices: bool = True
    """GPU seconds cost something; otherwise the best level in time is taken."""
    backlog: bool = True
    """The price follows the backlog; otherwise it is the plan's until the next plan."""
    looks: bool = True
    """Prompts are looked at; otherwise all are taken for the mean prompt."""
    late: bool = True
    """The level is chosen again when a worker is free, who may take over from other queues."""


class Argus(Plain):
    """See the module; `Ideas` names what may be left out."""

    def __init__(self, *, name: str = "argus", ideas: Ideas | None = None) -> None:
        super().__init__()
        self.name = name
        self._ideas = ideas or Ideas()

    def start(self, setting: Setting) -> Sequence[Duty]:
        """Plan for what is expected at first."""
        self.setting = setting
        variants = setting.variants
        self.queue_of = [variants.index(level.variant) for level in setting.levels]
        self._levels, self._queues = range(len(setting.levels)), range(len(variants))
        self._ledger = Ledger(workers=len(setting.workers))
        self._room = 1.0
        """Of the time that a request may wait: what newcomers get, for the sake of promises."""
        self._promised: float | None = None
        """Seconds told to whom was refused last; None where no place was."""
        self._known = (-1, 0.0)
        batches = [best_batch(level, setting.deadline) for level in setting.levels]
        self._sizes = [size for size, _ in batches]
        self._packed = [share for _, share in batches]
        """Of an image's seconds alone, what it costs in the best batches."""
        self._doubt, self._rate = 0, setting.rate
        self._needs_start = [level.needs_start for level in setting.levels]
        self._starts = Starts(setting.fetch_seconds)
        self._extra = setting.fetch_seconds
        self._curves: tuple[PriceCurve, ...] = ()
        self._alike = len(set(setting.workers)) == 1 and len(max(setting.loadouts, key=len)) == 1
        """Whether all workers are as quick, and hold one variant each."""
        self._placed: tuple[Prompt | None, float, int] = None, -inf, NONE
        """What was last placed where a worker is free, when, and at which level."""
        self._quickest: list[int] = []
        """Levels that are served now, the quickest first."""
        self._quickest_of: list[int] = []
        """Of each queue that is served: its quickest level."""
        self._grouped: dict[tuple[int, ...], tuple[int, ...]] = {}
        self._kinds: list[tuple[int, ...]] = []
        """The queues of each kind of worker."""
        self._shared = False
        """Whether a worker serves more than one."""
        self._kin: list[int] = []
        """By queue: the number of its curve, which it shares with those of the same workers."""
        self._probing_on = self._seconds_on = self._by_type()
        self._pulse = Pulse(memory=max(setting.deadline, 5.0), forecast=setting.rate)
        self._steering = Steering(setting)
        duties = self._steering.begin(self._alone())
        self._pulse.expect(self._steering.loop.expected)
        self._follow(duties)
        return duties

    def tick(self, crew: Sequence[Duty | None], floor: Floor) -> Sequence[Duty] | None:
        """Plan anew where the load has moved."""
        duties = self._steering.turn(crew, self._alone(), floor.now)
        self._pulse.expect(self._steering.loop.expected)
        if duties is not None:
            self._follow(duties)
        return duties

    def place(self, prompt: Prompt, remaining: float, floor: Floor) -> int:
        """The level worth most of those in time, as the queues stand."""
        rate = self._pulse.beat(floor.now)
        if rate != self._rate:
            self._rate = rate
            self._reprice()
        self._steering.saw(prompt, remaining)
        seconds, costs = self._seconds(floor)
        busy, servers, waits, prices = floor.busy, floor.servers, [], []
        for queue, curve in enumerate(self._curves):
            backlog = floor.backlog(queue)
            waits.append(0.0 if busy[queue] < servers[queue] else backlog)
            prices.append(curve.price(backlog))
        if self._shared:
            prices = self._cheapest(prices)
        level = pick(
            self._seen(prompt),
            seconds,
            costs,
            queue_of=self.queue_of,
            waits=waits,
            prices=prices,
            remaining=remaining,
        )
        if level == NONE:
            level = self._squeezed(seconds, remaining, floor)
        elif self._alike and not waits[self.queue_of[level]]:
            self._placed = prompt, floor.now, level
        if level != REFUSE and not self._ledger.standing:
            return level
        comes = remaining >= self.setting.deadline
        return level if not comes or self._let_in(seconds, remaining, floor) else REFUSE

    def alarmed(self, floor: Floor) -> bool:
        """Where the load has leapt beyond the plan, and workers are quick enough to follow."""
        return self._steering.leapt(floor.now)

    def retry_after(self, prompt: Prompt, floor: Floor) -> float:
        """When a place was promised; never, where none was."""
        del prompt, floor
        return inf if self._promised is None else self._promised

    def bind(self, prompt: Prompt, level: int, remaining: float, duty: Duty, floor: Floor) -> int:
        """The level worth most of the worker's, now that its turn has come."""
        if not self._ideas.late:
            return super().bind(prompt, level, remaining, duty, floor)
        if self._placed[1] == floor.now and self._placed[0] is prompt and level in duty.levels:
            return level  # It was chosen a moment ago, for a worker that is free.
        own, worth = self._choose(prompt, remaining, duty, floor)
        if (other := floor.joining) >= 0 and own not in {NONE, other}:
            price = self._curves[queue := self.queue_of[other]].price(floor.backlog(queue))
            if self._seen(prompt)[other] - price * floor.marginal >= worth:
                return other
        return own

    def steal(self, prompt: Prompt, level: int, remaining: float, duty: Duty, floor: Floor) -> int:
        """Take it where it is worth more than where it waits, all prices considered."""
        if not self._ideas.late:
            return REFUSE
        own, worth = self._choose(prompt, remaining, duty, floor)
        if own == NONE:
            return REFUSE
        queue = self.queue_of[level]
        seconds, costs = self._seconds(floor)
        if floor.backlog(queue) + seconds[level] > remaining:
            return own
        price = self._curves[queue].price(floor.backlog(queue))
        return own if worth > self._seen(prompt)[level] - price * costs[level] else REFUSE

    def fetched(self, level: int, seconds: float, found: bool, now: float) -> None:  # noqa: FBT001
        """Have the levels with a start cost what they cost now."""
        del level
        usual = self.setting.fetch_seconds
        if found and seconds <= usual and not self._doubt:
            return  # Nothing to learn: all that is remembered is as good.
        self._doubt = max(0, self._doubt - 1) if found and seconds <= usual else _DOUBT
        self._starts.heard(seconds, found, now)
        extra = self._starts.extra(now)  # noqa: S610 - not Django's
        if extra == self._extra:
            return
        if self._extra < inf and abs(extra - self._extra) <= _REPRICED * self._extra:
            return
        self._extra = extra
        self._seconds_on = self._by_type()
        self._market.expect(*self._flat(self.setting))
        self._reprice()

    def _follow(self, duties: Sequence[Duty]) -> None:
        """Price by the plan that stands."""
        steering, setting = self._steering.loop, self.setting
        posts = [post for duty in duties if (post := self._posts(duty))]
        self._kinds = list(dict.fromkeys(posts))
        self._shared = any(len(post) > 1 for post in posts)
        self._kin = list(numbered(kin(self._queues, self._kinds)).values())
        curves = max(self._kin) + 1
        workers, prices = [0] * curves, [inf] * curves
        for post in posts:
            workers[self._kin[post[0]]] += 1
        for own, price in zip(self._kin, steering.prices, strict=True):
            prices[own] = min(prices[own], price)
        self._rate = steering.expected
        self._market = Market(
            [self._kin[q] for q in self.queue_of],
            deadline=steering.deadline,
            loss=setting.shed_loss,
        )
        self._market.expect(*self._flat(setting))
        self._market.learn(
            sample=steering.sample if self._ideas.looks else [setting.qualities],
            prices=prices,
            workers=workers,
            burstiness=steering.burstiness,
        )
        self._reprice()

    def _choose(
        self, prompt: Prompt, remaining: float, duty: Duty, floor: Floor
    ) -> tuple[int, float]:
        """The level worth most of a free worker's, and what it is worth; `NONE` for none."""
        probing = self._extra == inf and self._starts.probe(floor.now)
        on = self._probing_on if probing else self._seconds_on
        seconds_here = on[self.setting.workers[floor.worker]]
        qualities, packed, best, taken = self._seen(prompt), self._packed, -inf, NONE
        # A second of its time is one second, whichever of its variants it draws with.
        posts = self._posts(duty)
        price = max((self._curves[q].price(floor.backlog(q)) for q in posts), default=0.0)
        for level in duty.levels:
            seconds = seconds_here[level]
            if seconds <= remaining:
                worth = qualities[level] - price * seconds * packed[level]
                if worth > best:
                    best, taken = worth, level
        return taken, best

    def _cheapest(self, prices: Sequence[float]) -> list[float]:
        """By queue: the price of the cheapest of the loadouts that serve it.

        A loadout's is that of the dearest of its queues.
        """
        worth = [max(prices[queue] for queue in post) for post in self._kinds]
        return [
            min((w for w, post in zip(worth, self._kinds, strict=True) if q in post), default=price)
            for q, price in enumerate(prices)
        ]

    def _posts(self, duty: Duty) -> tuple[int, ...]:
        """The queues of a duty's levels."""
        found = self._grouped.get(duty.levels)
        if found is None:
            found = tuple(dict.fromkeys(self.queue_of[level] for level in duty.levels))
            self._grouped[duty.levels] = found
        return found

    def _reprice(self) -> None:
        """Have prices follow what is known now."""
        if self._ideas.prices and self._ideas.backlog:
            curves = self._market.curves(self._rate, room=self._room)
            self._curves = tuple(curves[own] for own in self._kin)
        elif self._ideas.prices:
            self._curves = tuple(flat(p if p < inf else 0.0) for p in self._steering.loop.prices)
        else:
            self._curves = (FREE,) * len(self._queues)

    def _squeezed(self, seconds: Sequence[float], remaining: float, floor: Floor) -> int:
        """The quickest level that is in time if all who wait ahead are drawn at their quickest."""
        for level in self._quickest:
            if self._least_wait(level, seconds[level], floor) + seconds[level] <= remaining:
                return level
        return REFUSE

    def _least_wait(self, level: int, seconds: float, floor: Floor) -> float:
        """Seconds until it begins, if all who wait ahead are drawn at this level."""
        queue = self.queue_of[level]
        under_way = floor.ends[queue] - floor.busy[queue] * floor.now
        waiting = floor.waiting[queue] * seconds * self._packed[level]
        return (waiting + under_way) / floor.servers[queue]

    def _let_in(self, seconds: Sequence[float], remaining: float, floor: Floor) -> bool:
        """Whether a request may come in, by what was promised to others; else it is promised."""
        best, wait, soonest = NONE, inf, inf
        for level in self._quickest_of:
            least = self._least_wait(level, seconds[level], floor)
            if least + seconds[level] < soonest:
                best, wait, soonest = level, least, least + seconds[level]
        if best == NONE:
            self._promised = None
            return False
        workers = sum(floor.servers)
        self._ledger.resize(workers)
        # What its own variant's workers do in this time, told as if all workers did it.
        cost = seconds[best] * self._packed[best]
        work = cost * workers / floor.servers[self.queue_of[best]]
        answer = self._ledger.ask(floor.asking, work, wait, remaining - seconds[best], floor.now)
        self._promised = answer.retry_after
        if (room := self._ledger.headroom(1.0)) != self._room:
            self._room = room
            self._reprice()
        return answer.admitted

    def _seen(self, prompt: Prompt) -> Sequence[float]:
        return prompt.qualities if self._ideas.looks else self.setting.qualities

    def _seconds(self, floor: Floor) -> tuple[list[float], list[float]]:
        """By level, of the workers that serve it now, with the fetch where one is needed.

        Seconds of an image alone, and what it costs in the best batches.
        """
        if self._known != (floor.version, self._extra):
            self._known = (floor.version, self._extra)
            alone = [
                seconds + self._extra if start else seconds
                for seconds, start in zip(floor.seconds, self._needs_start, strict=True)
            ]
            costs = [s * share for s, share in zip(alone, self._packed, strict=True)]
            served = [i for i in self._levels if alone[i] < inf]
            self._quickest = sorted(served, key=lambda i: alone[i])
            first = {self.queue_of[i]: i for i in reversed(self._quickest)}
            self._quickest_of = list(first.values())
            self._now_takes = alone, costs
        return self._now_takes

    def _by_type(self) -> dict[str, list[float]]:
        """By GPU type, by level: seconds of one image, with the fetch where one is needed."""
        alone = self._alone()
        return {gpu: [s.get(gpu, inf) for s in alone] for gpu in set(self.setting.workers)}

    def _flat(self, setting: Setting) -> tuple[list[float], list[float]]:
        """By level, mean over all workers: what an image costs, and for how long it holds one."""
        costs = [fmean(by.get(gpu, inf) for gpu in setting.workers) for by in self._costs()]
        return costs, [c * size for c, size in zip(costs, self._sizes, strict=True)]

    def _costs(self) -> list[dict[str, float]]:
        """By level, by GPU type: what an image costs in the best batches."""
        return [
            {gpu: seconds * share for gpu, seconds in by_type.items()}
            for by_type, share in zip(self._alone(), self._packed, strict=True)
        ]

    def _alone(self) -> list[dict[str, float]]:
        """By level, by GPU type: seconds of one image, with the fetch where one is needed."""
        return [
            {g: s + self._extra if level.needs_start else s for g, s in level.seconds.items()}
            for level in self.setting.levels
        ]
