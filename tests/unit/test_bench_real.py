"""The bench of the real system beside the simulator: what it rests on, and that it goes on."""

import asyncio
from argparse import Namespace

import pytest

import real
from argus_core.simulator.check import require_valid
from support.known import captions
from support.timing import Seen, Timed

SECONDS = {"large-24": 0.12, "large-12": 0.065, "small-16": 0.04, "small-8": 0.022, "tiny-8": 0.015}


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    found = real.document(2)
    return real.Ground(
        found=real.with_seconds(found, SECONDS),
        timed=Timed(seconds=SECONDS, variation=0.1),
        captions=captions(list(SECONDS)),
        folder=tmp_path_factory.mktemp("real"),
        seed=1,
        seconds=20.0,
    )


def test_a_load_is_the_same_whenever_it_is_asked_for_and_follows_its_share(ground):
    first, again, twice = (ground.asked(share) for share in (0.5, 0.5, 1.0))
    assert (first.arrivals == again.arrivals).all()
    assert (first.ids == again.ids).all()
    assert len(twice.ids) == pytest.approx(2 * len(first.ids), rel=0.2)
    assert len(first.ids) == pytest.approx(0.5 * ground.most * 20, rel=0.2)


@pytest.mark.parametrize("system", real.SYSTEMS)
def test_every_system_is_simulated_with_the_seconds_that_it_is_given(ground, system):
    asked = ground.asked(0.6)
    slower = {level: 2 * took for level, took in real.only(system, SECONDS).items()}
    told = real.told_simulated(ground, system, asked, slower)
    assert told["foreseen"]["violations"] <= told["replayed"]["violations"]
    cut = real.with_seconds(ground.found, slower)
    require_valid(real.scenario_of(cut, asked, ground.timed))


def test_seconds_of_levels_that_were_hardly_drawn_are_in_proportion_to_the_others():
    seen = Seen(images={"a": 10, "b": 1}, total={"a": 20.0, "b": 9.0})
    assert seen.seconds({"a": 1.0, "b": 0.5, "c": 0.1}) == {
        "a": 2.0,
        "b": pytest.approx(0.5 * 29 / 10.5),
        "c": pytest.approx(0.1 * 29 / 10.5),
    }
    assert Seen().seconds({"a": 1.0}) == {"a": 1.0}


def test_runs_that_are_written_are_not_run_again(monkeypatch, tmp_path, ground):
    """What takes clusters is left out: timing, and runs."""
    done, broken = [], [True]

    async def run(_ground, system, share):
        if len(done) == 3 and broken:
            broken.clear()
            raise KeyboardInterrupt
        done.append((share, system))
        row = dict.fromkeys(("violations", "quality", "p50", "p99"), 0.5)
        return {"share": share, "system": system,
                **dict.fromkeys(("real", "foreseen", "replayed"), row)}  # fmt: skip

    async def ground_of(_options, _folder, kept):
        assert bool(kept) == bool(done)
        return ground

    monkeypatch.setattr(real, "run", run)
    monkeypatch.setattr(real, "ground_of", ground_of)
    options = Namespace(
        shares=[0.5, 2.0], seconds=20.0, workers=2, seed=1, fresh=False, out=tmp_path / "real.json"
    )
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(real.measure(options))
    found = asyncio.run(real.measure(options))
    assert sorted(done) == sorted(
        (share, system) for share in (0.5, 2.0) for system in real.SYSTEMS
    )
    assert [row["share"] for row in found["runs"]] == [0.5] * 4 + [2.0] * 4
    assert "8 of 8" in real.verdict(found["runs"])
