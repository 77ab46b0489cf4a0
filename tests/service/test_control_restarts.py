"""The control loop where workers come back at their addresses, as containers of a pod do."""

from contextlib import asynccontextmanager

from argus_control.control import Control
from argus_control.mode import Mode
from argus_control.planning import Planning
from argus_control.plans import seats
from argus_core.spread import spread_cluster
from argus_core.states import WorkerPhase
from argus_protos.v1 import cluster_pb2, worker_pb2
from argus_rpc.meanwhile import under_way
from helpers import eventually
from router_support import READY, ScriptedWorker, cluster_of

PATIENCE = 60.0


class Container(ScriptedWorker):
    """Begins with what it is given, holds what it is told, and counts anew when it restarts."""

    def __init__(self, name, *variants):
        super().__init__(name, *variants)
        self.begin(variants)

    def begin(self, variants):
        self.state.generation = 0
        del self.state.assigned[:]
        self.state.assigned.extend(variants)
        self.report(
            phase=READY if variants else cluster_pb2.WORKER_PHASE_STARTING, loadout=variants
        )

    async def Assign(self, request, context):
        self.state.generation += 1
        del self.state.assigned[:]
        self.state.assigned.extend(request.loadout)
        self.report(phase=READY, loadout=request.loadout)
        return worker_pb2.AssignResponse(generation=self.state.generation)


@asynccontextmanager
async def controlled(*workers, marks=None):
    """A loop that plans nothing, over containers."""
    cluster = cluster_of()
    placed = seats(spread_cluster(cluster.spec))
    loadouts = {seat.worker: loadout for seat, loadout in placed.items()}

    async def mark(name, loadout):
        if marks is not None:
            marks.append((name, loadout))

    control = Control(
        cluster.spec,
        {seat.worker: seat for seat in placed},
        loadouts,
        Planning(mode=Mode.OFF),
        obeys=False,
        before_assign=mark,
    )
    for worker in workers:
        await worker.start()
    control.crew.meet({worker.state.worker: worker.address for worker in workers})
    try:
        async with under_way(control.run()):
            yield control
    finally:
        for worker in workers:
            await worker.die()


async def test_who_holds_nothing_is_told_its_share_and_its_pod_before():
    marks = []
    first, second = Container("cpu-0"), Container("cpu-1", "tiny")
    async with controlled(first, second, marks=marks):
        await eventually(lambda: list(first.state.loadout) == ["large"], PATIENCE)
        assert marks == [("cpu-0", ("large",))]
        assert second.state.generation == 0


async def test_a_worker_that_restarts_where_it_was_is_heard_and_told_again():
    first, second = Container("cpu-0"), Container("cpu-1", "tiny")
    async with controlled(first, second) as control:
        await eventually(lambda: list(first.state.loadout) == ["large"], PATIENCE)
        port = int(first.address.rpartition(":")[2])
        await first.die()
        await eventually(lambda: control.crew.phase("cpu-0") is None, PATIENCE)
        first.begin(())
        await first.start(port)
        await eventually(lambda: list(first.state.loadout) == ["large"], PATIENCE)
        await eventually(lambda: control.crew.phase("cpu-0") is WorkerPhase.READY, PATIENCE)


async def test_who_was_assigned_by_somebody_else_is_not_pinned():
    first, second = Container("cpu-0", "large"), Container("cpu-1", "tiny")
    async with controlled(first, second) as control:
        await eventually(lambda: len(control.crew.states) == 2, PATIENCE)
        second.state.assigned[:] = ["large"]
        second.report(loadout=("large",))
        await eventually(lambda: control.crew.loadouts["cpu-1"] == ("large",), PATIENCE)
        assert control.crew.pinned == set()


async def test_meeting_the_same_workers_again_is_no_news():
    first, second = Container("cpu-0", "large"), Container("cpu-1", "tiny")
    async with controlled(first, second) as control:
        await eventually(lambda: len(control.crew.states) == 2, PATIENCE)
        heard = []
        control._on_change = lambda: heard.append(1)
        control.crew.meet({w.state.worker: w.address for w in (first, second)})
        assert heard == []


async def test_a_pin_is_obeyed_and_undone_by_nobody_but_its_end():
    first, second = Container("cpu-0", "large"), Container("cpu-1", "tiny")
    async with controlled(first, second) as control:
        await eventually(lambda: len(control.crew.states) == 2, PATIENCE)
        control.pins = {"cpu-0": ("tiny",)}
        control.wake()
        await eventually(lambda: list(first.state.loadout) == ["tiny"], PATIENCE)


async def test_nobody_is_told_anything_while_paused():
    marks = []
    first, second = Container("cpu-0", "large"), Container("cpu-1", "tiny")
    async with controlled(first, second, marks=marks) as control:
        await eventually(lambda: len(control.crew.states) == 2, PATIENCE)
        control.paused = True
        control.pins = {"cpu-0": ("tiny",)}
        control.wake()
        assert control._next() == []
        control.paused = False
        assert control._next() == ["cpu-0"]
