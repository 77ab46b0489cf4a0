"""Which free worker is asked first what it would draw; a thousand cost no more than one."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus_protos.v1 import cluster_pb2
from argus_router.fleet import Worker
from argus_router.free import Free

VARIANTS = "abc"


def worker(address, *loadout, slots=1, pool="p", most=None, clock=lambda: 0.0):
    found = Worker(address, clock=clock)
    found.state = cluster_pb2.WorkerState(
        worker=address,
        pool=pool,
        phase=cluster_pb2.WORKER_PHASE_READY,
        loadout=loadout,
        slots=slots,
    )
    found.warming, found.most = False, most
    return found


class Line(list):
    """Images that wait, each for a variant; a worker draws what it holds, the oldest first."""

    def __init__(self, *variants):
        super().__init__(variants)
        self.drawn, self.asked = [], []

    def fill(self, worker):
        self.asked.append(worker.address)
        before = len(self.drawn)
        while worker.free and (mine := [v for v in self if v in worker.loadout]):
            self.remove(mine[0])
            worker.running[object()] = None
            self.drawn.append((worker.address, mine[0]))
        return len(self.drawn) > before


def met(*workers):
    free = Free()
    free.meet(workers)
    return free


def test_the_least_versatile_is_asked_first_then_the_emptiest_then_by_address():
    both, full = worker("a", "a", "b", slots=4), worker("b", "a", slots=2)
    full.running[object()] = None
    line = Line("a", "a", "a", "a", "a")
    met(both, full, worker("d", "a", slots=2), worker("c", "a", slots=2)).offer(line, line.fill)
    assert [address for address, _ in line.drawn] == ["c", "c", "d", "d", "b"]


@pytest.mark.parametrize("count", [1, 1000])
def test_of_workers_of_a_kind_that_have_no_use_for_anything_one_is_asked(count):
    line = Line("b")
    met(*(worker(f"{i:04}", "a") for i in range(count))).offer(line, line.fill)
    assert line.asked == ["0000"]


def test_nobody_is_asked_where_nothing_waits_or_nothing_is_free():
    busy = worker("a", "a")
    busy.running[object()] = None
    for free, line in ((met(worker("a", "a")), Line()), (met(busy), Line("a"))):
        free.offer(line, line.fill)
        assert line.asked == []


def test_who_gets_a_slot_back_is_asked_once_it_was_looked_at():
    one, line = worker("a", "a"), Line("a", "a")
    free = met(one)
    free.offer(line, line.fill)
    one.running.clear()
    free.look(one)
    free.offer(line, line.fill)
    assert (list(line), len(line.drawn)) == ([], 2)


def test_who_was_free_and_is_not_any_more_is_not_asked():
    gone, line = worker("a", "a"), Line("a")
    free = met(gone, worker("b", "a"))
    gone.ejected = True
    free.offer(line, line.fill)
    assert line.drawn == [("b", "a")]


def test_who_draws_what_others_must_go_with_is_asked_for_itself():
    """What it may draw besides is told by what it draws: the next one may draw something else."""
    drawing = [worker(name, "a", slots=2, most=2) for name in "xy"]
    for one in drawing:
        one.running[object()] = None
    line = Line("b")
    met(*drawing).offer(line, line.fill)
    assert line.asked == ["x", "y"]


workers_ = st.lists(
    st.tuples(
        st.sets(st.sampled_from(VARIANTS), min_size=1), st.integers(1, 3), st.sampled_from("pq")
    ),
    max_size=12,
)


@given(workers_, st.lists(st.lists(st.sampled_from(VARIANTS), max_size=6), max_size=6), st.data())
def test_whoever_could_draw_something_does_whatever_came_before(kinds, arrivals, data):
    workers = [
        worker(f"{i:02}", *sorted(held), slots=slots, pool=pool)
        for i, (held, slots, pool) in enumerate(kinds)
    ]
    free, line = met(*workers), Line()
    for coming in arrivals:
        line += coming
        free.offer(line, line.fill)
        assert not any(v in w.loadout for w in workers if w.free for v in line)
        for one in workers:
            if one.running and data.draw(st.booleans()):
                one.running.popitem()
                free.look(one)
    drawn = Counter(variant for _, variant in line.drawn)
    assert drawn + Counter(line) == Counter(v for coming in arrivals for v in coming)
