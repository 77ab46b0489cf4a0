"""Who is near, to whom, and what goes when there are too many."""

import threading

import numpy as np
import pytest

from argus_latents.store import Added, Gone
from argus_predictor.neighbours.catalogue import Bounds
from argus_predictor.neighbours.group import Group
from argus_predictor.neighbours.indexes import Exact, Graph
from argus_predictor.neighbours.turns import Turns
from argus_predictor.neighbours.vectors import rounded
from helpers import eventually
from neighbours_support import (
    DIMENSIONS,
    FITS,
    MemoryStore,
    embedding,
    entry,
    following,
    level,
    neighbours,
    start,
)

ROW = embedding(0)


def knowing(*entries, now=1.0, **changed):
    known = neighbours(**changed)
    known._catalogue.hear([Added(entry=one) for one in entries], now)
    return known


def test_nearest_is_found_with_its_cosine():
    near, far = entry(embedding(1, like=ROW, share=0.1)), entry(embedding(2, like=ROW, share=0.4))
    found = start(knowing(far, near), ROW)
    assert (found.key, found.step) == (near.key, 4)
    truth = np.frombuffer(near.embedding, "<f2").astype(np.float32) @ ROW
    assert found.similarity == pytest.approx(float(truth), abs=0.01)


@pytest.mark.parametrize(
    "changed",
    [
        {"scope": "tenant-b"},
        {"compatibility": FITS + ";lora=x"},
        {"steps": (2,)},
        {"encoder": "another"},
        {"expires": 0.5},
        {"embedding": ROW.astype("<f2").tobytes()[:-2]},
        {"embedding": bytes(2 * DIMENSIONS)},
        {"embedding": np.full(DIMENSIONS, np.nan, "<f2").tobytes()},
    ],
)
def test_what_does_not_fit_is_not_found_though_it_is_nearest(changed):
    fitting = entry(embedding(1, like=ROW, share=0.4))
    assert start(knowing(entry(ROW, **changed), fitting), ROW).key == fitting.key


def test_latent_at_the_step_is_found_behind_nearer_ones_without():
    wanted = entry(embedding(99, like=ROW, share=0.5), steps=(4,))
    nearer = [entry(embedding(n, like=ROW, share=0.1), steps=(2,)) for n in range(50)]
    assert start(knowing(*nearer, wanted), ROW).key == wanted.key


def test_what_expires_is_passed_over_from_that_moment_on_however_much_of_it_is_nearer():
    now = [1.0]
    lasting = entry(embedding(99, like=ROW, share=0.5))
    passing = [entry(embedding(n, like=ROW, share=0.1), expires=5.0) for n in range(100)]
    known = knowing(*passing, lasting, clock=lambda: now[0])
    assert start(known, ROW).key != lasting.key
    now[0] = 5.0
    assert start(known, ROW).key == lasting.key


def test_each_level_gets_the_nearest_at_its_own_step():
    one, other = entry(ROW, steps=(2,)), entry(embedding(1, like=ROW, share=0.3), steps=(4,))
    known = knowing(one, other)
    assert [start(known, ROW, step).key for step in (2, 4)] == [one.key, other.key]
    assert start(known, ROW, 3) is None


def test_told_again_it_is_there_once_and_gone_it_is_gone():
    one = entry(ROW)
    known = knowing(one, one)
    assert len(known) == 1
    known._catalogue.hear([Gone(key=one.key), Gone(key=one.key)], 1.0)
    assert len(known) == 0
    assert start(known, ROW) is None


def test_least_valuable_is_forgotten_beyond_the_bound():
    dear = [entry(embedding(n), seconds_per_step=9.0) for n in range(5)]
    cheap = [entry(embedding(100 + n)) for n in range(5)]
    known = knowing(*dear, *cheap, entry(ROW), bounds=Bounds(entries=10))
    assert len(known) <= 10
    assert all(start(known, embedding(n)).key == dear[n].key for n in range(5))


def test_groups_beyond_the_bound_are_not_found_and_make_room_once_empty():
    one, other = entry(ROW), entry(ROW, scope="tenant-b")
    known = knowing(one, other, bounds=Bounds(groups=1))
    assert start(known, ROW, scope="tenant-b") is None
    known._catalogue.hear([Gone(key=one.key), Gone(key=other.key), Added(entry=other)], 1.0)
    assert start(known, ROW, scope="tenant-b").key == other.key


def test_embedding_that_is_none_has_no_neighbours():
    known = knowing(entry(ROW))
    for row in (ROW[:-1], np.zeros(DIMENSIONS, np.float32), ROW * np.nan):
        assert start(known, row) is None
        assert known.around(row, "tenant-a") is None


def test_steps_that_some_like_level_skips_to_are_kept_unless_a_repeat_has_them():
    ladder = (*neighbours()._worth._levels.values(), level("other", 3, variant="w"))
    known = knowing(entry(ROW, steps=(2,)), ladder=ladder)
    new = embedding(5)
    assert known.around(new, "tenant-a").capture_steps("full", FITS) == (2, 4)
    assert known.around(new, "tenant-a").capture_steps("skip-2", FITS) == (4,)
    assert known.around(new, "tenant-a").capture_steps("other", FITS) == ()
    assert known.around(new, "tenant-a").capture_steps("no such level", FITS) == ()
    assert known.around(ROW, "tenant-a").capture_steps("full", FITS) == (4,)


@pytest.mark.parametrize("kind", [Exact, Graph])
def test_either_index_finds_the_nearest_while_rows_come_and_go(kind):
    rng, there, index = np.random.default_rng(0), {}, kind(DIMENSIONS)
    for slot in range(400):
        row = rng.normal(size=DIMENSIONS).astype(np.float32)
        index.add(slot, rounded(row))
        there[slot] = row / np.linalg.norm(row)
        if slot % 3 == 0:
            gone = int(rng.choice(list(there)))
            index.remove(gone)
            del there[gone]
    right = 0
    for _ in range(100):
        asked = rng.normal(size=DIMENSIONS).astype(np.float32)
        found = int(index.nearest(asked, 1)[0][0])
        assert found in there
        right += found == max(there, key=lambda slot: there[slot] @ asked)
    assert len(index) == len(there)
    assert right >= 97


def test_group_that_grows_large_finds_the_same():
    group, turns = Group((2,), DIMENSIONS, large=100), Turns()
    rows = [embedding(n) for n in range(150)]
    for slot, row in enumerate(rows):
        group.add(slot, rounded(row), turns)
        assert int(group.nearest(row, 1)[0][0]) == slot
    assert all(int(group.nearest(row, 1)[0][0]) == slot for slot, row in enumerate(rows))


def test_whoever_waits_gets_a_turn_though_another_works_without_a_pause():
    turns, begun, done = Turns(), threading.Event(), threading.Event()

    def work():
        while not done.is_set():
            with turns:
                begun.set()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        assert begun.wait(30)
        for _ in range(100):
            with turns:
                pass
    finally:
        done.set()
        worker.join()


def test_finding_while_entries_come_and_go_finds_only_what_may_be_found():
    known, ended = knowing(entry(ROW)), threading.Event()
    rows = [embedding(n) for n in range(300)]

    def change():
        for row in rows:
            one = entry(row, scope="tenant-b")
            mine = entry(row)
            known._catalogue.hear([Added(entry=one), Added(entry=mine), Gone(key=mine.key)], 1.0)
        ended.set()

    worker = threading.Thread(target=change)
    worker.start()
    while not ended.is_set():
        assert start(known, ROW).similarity > 0.99
    worker.join()


async def test_store_is_kept_below_its_limit_by_what_is_of_least_benefit():
    store = MemoryStore(max_bytes=1000)
    for n in range(6):
        await store.put(entry(embedding(n), seconds_per_step=5.0))
    async with following(neighbours(), store) as known:
        await eventually(lambda: len(known) == 6)
        for n in range(10, 20):
            await store.put(entry(embedding(n)))
        await eventually(lambda: len(store.entries) <= 9 and len(known) == len(store.entries))
        assert all(start(known, embedding(n)).similarity > 0.99 for n in range(6))


async def test_nothing_is_let_go_by_one_who_does_not_lead():
    store = MemoryStore(max_bytes=1000)
    store.leader = "another"
    async with following(neighbours(), store) as known:
        for n in range(12):
            await store.put(entry(embedding(n)))
        await eventually(lambda: known._keeper.room.filled > 1)
        assert len(store.entries) == 12
        store.leader = None
        await eventually(lambda: len(store.entries) <= 9)


async def test_what_expires_leaves_memory_and_store():
    now, store = [1.0], MemoryStore()
    await store.put(entry(ROW, expires=5.0))
    async with following(neighbours(clock=lambda: now[0]), store) as known:
        await eventually(lambda: len(known) == 1)
        now[0] = 6.0
        await eventually(lambda: not len(known) and not store.entries)


async def test_entries_of_another_encoder_go_first():
    store = MemoryStore(max_bytes=1000)
    for n in range(12):
        await store.put(entry(embedding(n), encoder=None if n < 5 else "letters"))
    async with following(neighbours(), store):
        await eventually(lambda: len(store.entries) <= 9)
        assert sum(one.encoder == "letters" for one in store.entries.values()) == 7


async def test_use_keeps_an_entry():
    store = MemoryStore(max_bytes=1000)
    entries = [entry(embedding(n)) for n in range(8)]
    for one in entries:
        await store.put(one)
    async with following(neighbours(), store) as known:
        await eventually(lambda: len(known) == 8)
        await store.used(entries[0].key, 4)
        for n in range(10, 14):
            await store.put(entry(embedding(n), bytes=99))
        await eventually(lambda: len(store.entries) <= 9)
        assert entries[0].key in store.entries


async def test_failing_store_is_served_without_and_tidied_again_afterwards():
    store = MemoryStore(max_bytes=1000)
    store.failing = True
    async with following(neighbours(), store) as known:
        for n in range(12):
            await store.put(entry(embedding(n)))
        await eventually(lambda: len(known) == 12)
        assert start(known, embedding(3)).similarity > 0.99
        store.failing = False
        await eventually(lambda: len(store.entries) <= 9)
