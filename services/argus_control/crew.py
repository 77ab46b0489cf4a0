"""What the workers say of themselves, and what they were told.

Model: one task a worker follows its states at the address where it listens, for as long as it
listens there. A worker whose state is not known is lost. Whoever else assigns a worker is obeyed,
unless the crew was made not to: a state that tells of a loadout that was not told from here pins
the worker to it.

While an assignment is under way, the worker may tell of what it held before or of what it was told;
once it is accepted, only states of its generation or later are compared with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from argus_client import workers
from argus_control.pacing import Pacing
from argus_core.errors import ArgusError, Unavailable
from argus_core.spread import Loadout
from argus_core.states import WorkerPhase
from argus_protos.v1 import cluster_pb2
from argus_rpc.meanwhile import call_off
from argus_rpc.peers import Peers

log = logging.getLogger(__name__)

_SILENCE = 25.0
"""Seconds without a state, of which there is one every ten, after which a worker is lost."""
_PAUSE = 0.5
"""Seconds before a worker is asked again that did not answer, at least."""
_TELL = 5.0
"""Seconds that a worker may take to accept an assignment."""


@dataclass(kw_only=True)
class _Orders:
    """What a worker was told from here."""

    may_hold: tuple[Loadout, ...]
    since: int = 0
    """Generation from which on its states are compared with that."""


class Crew:
    """See the module. `loadouts` is what each worker was told last, by whomever; it is kept."""

    def __init__(
        self,
        loadouts: dict[str, Loadout],
        order: tuple[str, ...],
        on_change: Callable[[], None],
        *,
        obeys: bool = True,
        pacing: Pacing | None = None,
        peers: Peers | None = None,
    ) -> None:
        """`order` is the variants' own; `on_change` hears of every new phase and loadout.

        `pacing` is of all who ask workers in this process; None where nobody else does. `peers` is
        how workers are met; None for plainly.
        """
        self.loadouts = loadouts
        self.pinned: set[str] = set()
        """Workers that somebody else has assigned."""
        self.states: dict[str, cluster_pb2.WorkerState] = {}
        """Of those that are not lost."""
        self.troubles: dict[str, str] = {}
        """By worker that is up and is not heard, why."""
        self._order, self._on_change = order, on_change
        self._pacing, self._peers = pacing or Pacing(), peers
        self.obeys = obeys
        """Whether workers that somebody else assigns stay so."""
        self._addresses: dict[str, str] = {}
        self._orders = {name: _Orders(may_hold=(held,)) for name, held in loadouts.items()}
        self._following: dict[str, asyncio.Task[None]] = {}
        self._closed = False

    def meet(self, addresses: Mapping[str, str]) -> None:
        """The workers that are up listen here now."""
        if self._closed or addresses == self._addresses:
            return
        for name in self.loadouts:
            if addresses.get(name) == self._addresses.get(name):
                continue
            if task := self._following.pop(name, None):
                task.cancel()
            self.states.pop(name, None)
            self.troubles.pop(name, None)
            # A new process: it counts its generations anew, and begins with what was told last.
            self._orders[name] = _Orders(may_hold=(self.loadouts[name],))
            if address := addresses.get(name):
                self._following[name] = asyncio.create_task(self._follow(name, address))
        self._addresses = dict(addresses)
        self._on_change()

    async def close(self) -> None:
        """Follow nobody any more."""
        self._closed = True
        await call_off(self._following.values())

    def phase(self, name: str) -> WorkerPhase | None:
        """None for a worker that is lost."""
        state = self.states.get(name)
        if state is None:
            return None
        if state.generation < self._orders[name].since:
            return WorkerPhase.DRAINING  # It was told, and has not said so yet.
        phase = cluster_pb2.WorkerPhase.Name(state.phase)
        return WorkerPhase(phase.removeprefix("WORKER_PHASE_").lower())

    def holds_nothing(self, name: str) -> bool:
        """Whether a worker is up and was told nothing yet."""
        return self.phase(name) is WorkerPhase.STARTING and not self.states[name].assigned

    async def assign(self, name: str, loadout: Loadout, *, plan_id: int) -> None:
        """Have a worker hold a loadout from here on, and after a restart too.

        Raises:
            ArgusError: it did not accept it; whether it will hold it is not known.
        """
        if name not in self._addresses:
            raise Unavailable(f"{name} is not up")
        orders, address = self._orders[name], self._addresses[name]
        orders.may_hold = (self.loadouts[name], loadout)
        generation = await workers.assign(
            address, loadout, plan_id=plan_id, timeout=_TELL, peers=self._peers
        )
        if self._orders[name] is orders and name not in self.pinned:
            orders.may_hold, orders.since = (loadout,), generation
            self.loadouts[name] = loadout

    async def expect(self, name: str, loadout: Loadout) -> None:
        """Tell a worker what it will be told to hold, so that it may read that ahead.

        Raises:
            ArgusError: it did not hear of it.
        """
        if (address := self._addresses.get(name)) is None:
            raise Unavailable(f"{name} is not up")
        await workers.expect(address, loadout, timeout=_TELL, peers=self._peers)

    def canonical(self, variants: Iterable[str]) -> Loadout:
        """Variants in their own order."""
        held = set(variants)
        return tuple(variant for variant in self._order if variant in held)

    async def _follow(self, name: str, address: str) -> None:
        while True:
            try:
                async with aclosing(workers.watch(address, self._peers)) as states:
                    while True:
                        async with asyncio.timeout(_SILENCE):
                            self._hear(name, await anext(states))
            except (ArgusError, TimeoutError, StopAsyncIteration) as error:
                log.debug("%s tells nothing: %s", name, error)
                self.troubles[name] = str(error)
            known = self.states.pop(name, None)
            if not self.obeys:
                # A process may come back at the same address, and counts its generations anew.
                self._orders[name] = _Orders(may_hold=(self.loadouts[name],))
            if known is not None:
                self._on_change()
            await self._pacing.rest(_PAUSE)

    def _hear(self, name: str, state: cluster_pb2.WorkerState) -> None:
        before, self.states[name] = self.states.get(name), state
        self.troubles.pop(name, None)
        orders, assigned = self._orders[name], self.canonical(state.assigned)
        if assigned and state.generation >= orders.since:
            if self.obeys and assigned not in orders.may_hold:
                log.info("%s was assigned %s by hand, and stays so", name, ", ".join(assigned))
                self.pinned.add(name)
                orders.may_hold = (assigned,)
            self.loadouts[name] = assigned
        if before is None or _gist(before) != _gist(state):
            self._on_change()


def _gist(state: cluster_pb2.WorkerState) -> tuple[object, ...]:
    """What is new in a state; it comes every ten seconds whether or not there is news."""
    return state.phase, state.generation, tuple(state.assigned), tuple(state.loadout)
