import asyncio
from collections import Counter
from dataclasses import dataclass

import pytest

from argus_cli.profile import work
from argus_cli.profile.work import ATTEMPTS, share_out
from argus_core.errors import InvalidRequest, Unavailable


@dataclass(frozen=True)
class Piece:
    key: str


PIECES = [Piece(str(i)) for i in range(6)]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(work, "PAUSE", 0.0)


async def shared(do, workers=("one", "two"), pieces=PIECES):
    kept = {}
    await share_out(pieces, workers, do, lambda piece, found: kept.update({piece.key: found}))
    return kept


async def test_every_piece_is_done_once_and_by_all_workers():
    began, both = [], asyncio.Event()

    async def do(worker, piece):
        began.append(worker)
        if set(began) == {"one", "two"}:
            both.set()
        await both.wait()
        return worker

    kept = await shared(do)
    assert sorted(kept) == [piece.key for piece in PIECES]
    assert set(kept.values()) == {"one", "two"}
    assert len(began) == len(PIECES)


async def test_what_a_lost_worker_leaves_another_takes():
    async def do(worker, piece):
        if worker == "one":
            raise Unavailable("gone")
        return worker

    assert set((await shared(do)).values()) == {"two"}


async def test_a_worker_that_comes_back_goes_on():
    tries = Counter()

    async def do(worker, piece):
        tries[piece.key] += 1
        if tries[piece.key] == 1 and piece.key in {"1", "4"}:
            raise Unavailable("restarting")
        return tries[piece.key]

    kept = await shared(do, workers=("one",))
    assert kept == {piece.key: 2 if piece.key in {"1", "4"} else 1 for piece in PIECES}


async def test_without_a_worker_left_it_ends_and_says_why():
    async def do(worker, piece):
        raise Unavailable("out of order")

    with pytest.raises(Unavailable, match="no worker is left: out of order"):
        await shared(do, workers=("one",))


async def test_a_piece_that_no_worker_can_do_is_given_up():
    tries = Counter()

    async def do(worker, piece):
        tries[piece.key] += 1
        raise Unavailable("never")

    with pytest.raises(Unavailable, match="never"):
        await shared(do, workers=("one", "two", "three"), pieces=PIECES[:1])
    assert tries["0"] <= ATTEMPTS


async def test_what_can_never_succeed_ends_it_at_once():
    tries = []

    async def do(worker, piece):
        tries.append(piece)
        raise InvalidRequest.one("prompt", "too long")

    with pytest.raises(InvalidRequest, match="too long"):
        await shared(do, workers=("one",))
    assert len(tries) == 1


async def test_nothing_to_do_is_done():
    async def do(worker, piece):
        raise AssertionError

    assert await shared(do, pieces=[]) == {}
