from collections import Counter
from random import Random

import pytest

from argus_core.planning.load import LoadEstimator, LoadReport, LoadRules
from argus_core.planning.reservoir import RecentSample


def sample(size=100, half_life=60.0, seed=1):
    return RecentSample(size=size, half_life=half_life, rng=Random(seed))


def test_the_sample_never_exceeds_its_size():
    kept = sample(size=10)
    for i in range(1000):
        kept.add(i, at=float(i), weight=1.0)
    assert len(kept.things(since=0.0)) == 10


def test_everything_is_kept_while_there_is_room():
    kept = sample(size=10)
    for i in range(10):
        kept.add(i, at=float(i), weight=1.0)
    assert kept.things(since=0.0) == list(range(10))
    assert kept.things(since=5.0) == [5, 6, 7, 8, 9]


def test_a_half_life_halves_the_chance():
    """Two crowds, one a half-life older; few are drawn, so that neither runs out."""
    counts = Counter()
    for seed in range(200):
        kept = sample(size=20, half_life=60.0, seed=seed)
        for _ in range(500):
            kept.add("old", at=0.0, weight=1.0)
            kept.add("new", at=60.0, weight=1.0)
        counts.update(kept.things(since=0.0))
    assert counts["new"] / counts["old"] == pytest.approx(2.0, rel=0.15)


def test_weights_draw_in_proportion():
    counts = Counter()
    for seed in range(200):
        kept = sample(size=20, seed=seed)
        for _ in range(500):
            kept.add("light", at=0.0, weight=1.0)
            kept.add("heavy", at=0.0, weight=3.0)
        counts.update(kept.things(since=0.0))
    assert counts["heavy"] / counts["light"] == pytest.approx(3.0, rel=0.15)


def test_keys_last_for_years():
    kept = sample(size=5)
    for i in range(100):
        kept.add(i, at=1.7e9 + 60.0 * i, weight=1.0)
    assert min(kept.things(since=0.0)) > 70


def shares(routers, *, size=200):
    """Share of "bright" prompts (quality 1) in the estimate, from (arrivals, samples) by router."""
    load = LoadEstimator(LoadRules(levels=1, sample_size=size), rng=Random(5))
    for k in range(1, 41):
        for name, (arrivals, samples) in routers.items():
            load.observe(
                LoadReport(
                    router=name,
                    sequence=k,
                    window_end=5.0 * k,
                    window=5.0,
                    arrivals=arrivals,
                    samples=samples,
                ),
                5.0 * k,
            )
    qualities = load.estimate(200.0).qualities
    return sum(q for (q,) in qualities) / len(qualities)


def test_the_mix_follows_arrivals_and_not_how_many_were_sampled():
    busy, idle = (900, [[1.0]] * 20), (100, [[0.0]] * 20)
    assert shares({"busy": busy, "idle": idle}) == pytest.approx(0.9, abs=0.07)


def test_samples_that_make_no_sense_are_left_out_and_counted():
    load = LoadEstimator(LoadRules(levels=2), rng=Random(5))
    samples = [[0.5, 0.5], [0.5], [0.5, float("nan")], [0.5, 1.5], []]
    load.observe(
        LoadReport(router="a", sequence=1, window_end=5.0, window=5.0, arrivals=5, samples=samples),
        5.0,
    )
    assert load.estimate(5.0).qualities == ((0.5, 0.5),)
    assert load.samples_refused == 4


def test_the_same_reports_and_seed_give_the_same_sample():
    routers = {"a": (50, [[0.1], [0.9], [0.4]])}
    assert shares(routers, size=20) == shares(routers, size=20)
