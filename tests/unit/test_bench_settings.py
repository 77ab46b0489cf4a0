import pickle
from functools import partial
from itertools import pairwise

import numpy as np
import pytest

from argus_core.policies.registry import make
from argus_core.simulator.check import require_valid
from argus_core.simulator.engine import simulate
from argus_core.simulator.outcome import State
from simulator_support import still
from support import azure, data, day, gentd, loads, paper, profiles, sdxl, shapes, truth, twitter

RECORDED = {
    "paper": partial(paper.scenario, minutes=5),
    "paper, batched": partial(paper.scenario, minutes=5, batched=True, multiple=1.5),
    "paper, smaller": partial(paper.scenario, minutes=5, smaller=True, outage=True),
    **{name: partial(azure.scenario, trace=name) for name in azure.TRACES},
    "free": partial(azure.scenario, free=True, workers=3),
    **{load: partial(twitter.scenario, load=load) for load in twitter.LOADS},
    "gentd": gentd.scenario,
}
"""Builders that read recorded data."""


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """A machine without recorded data."""
    monkeypatch.setenv(data.VARIABLE, str(tmp_path))
    return tmp_path


def same(first, second):
    return (
        np.array_equal(first.arrivals, second.arrivals)
        and np.array_equal(first.prompt_of, second.prompt_of)
        and np.array_equal(first.prompts.truth, second.prompts.truth)
        and np.array_equal(first.prompts.predicted, second.prompts.predicted)
    )


def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("name", RECORDED)
def test_settings_are_valid_and_repeat_by_their_seed_without_recorded_data(nowhere, name):
    build = RECORDED[name]
    scenario = build(1)
    require_valid(scenario)
    assert scenario.name.endswith(data.LOOKALIKE)
    assert same(scenario, build(1))
    assert not same(scenario, build(2))


@pytest.mark.skipif(not data.DEFAULT.exists(), reason="no recorded data on this machine")
@pytest.mark.parametrize("name", RECORDED)
def test_settings_are_valid_and_repeat_by_their_seed_with_recorded_data(name):
    build = partial(RECORDED[name], folder=data.DEFAULT)
    scenario = build(1)
    require_valid(scenario)
    assert data.LOOKALIKE not in scenario.name
    assert same(scenario, build(1))
    assert not same(scenario, build(2))


@pytest.mark.parametrize("name", RECORDED)
def test_builders_can_be_sent_to_another_process(nowhere, name):
    build = loads.Loaded(build=RECORDED[name], share=0.01)
    assert same(pickle.loads(pickle.dumps(build))(3), build(3))


@pytest.mark.parametrize("settings", [{}, {"spread": 3.0}, {"smaller": True}])
def test_level_averages_of_the_papers_setting_are_as_published(nowhere, settings):
    scenario = paper.scenario(0, minutes=1, **settings)
    means = scenario.prompts.truth.mean(axis=0)
    assert means[:6] == pytest.approx(paper.QUALITIES, abs=2e-4)


def test_predictions_of_the_papers_setting_are_calibrated_and_not_the_truth(nowhere):
    prompts = paper.scenario(0, minutes=1, own=0.3).prompts
    for level in range(1, 6):
        told, true = prompts.predicted[:, level], prompts.truth[:, level]
        assert told.mean() == pytest.approx(true.mean(), abs=0.004)
        assert np.polyfit(told, true, 1)[0] == pytest.approx(1.0, abs=0.08)
        assert np.corrcoef(told, true)[0, 1] < 0.95
        for tenth in np.array_split(np.argsort(told), 10):
            scatter = true[tenth].std() / np.sqrt(len(tenth))
            assert told[tenth].mean() == pytest.approx(true[tenth].mean(), abs=4 * scatter + 1e-3)


def test_a_predictor_that_sees_more_is_calibrated_too():
    means = (1.0, 0.95, 0.7)
    true, told = truth.lognormal(means, 50_000, spread=1.0, own=0.8, sees_own=True, rng=rng())
    blind = truth.lognormal(means, 50_000, spread=1.0, own=0.8, rng=rng())[1]
    for level in (1, 2):
        assert np.polyfit(told[:, level], true[:, level], 1)[0] == pytest.approx(1.0, abs=0.05)
        seen, not_seen = (np.corrcoef(t[:, level], true[:, level])[0, 1] for t in (told, blind))
        assert seen > not_seen


def test_prompts_that_do_not_differ_are_predicted_as_they_are():
    true, told = truth.lognormal((1.0, 0.9), 10, spread=0.0, own=0.0, rng=rng())
    assert true == pytest.approx(told)
    assert true[:, 1] == pytest.approx(0.9)


def test_eight_workers_carry_what_the_paper_prints(nowhere):
    flat = paper.scenario(0, minutes=1)
    batched = paper.scenario(0, minutes=1, batched=True)
    most = 8 * paper.UNIT * paper.RATES[-1]
    assert 60 * loads.carried(flat) == pytest.approx(paper.GAIN * most, rel=0.06)
    assert 60 * loads.carried(batched) == pytest.approx(1.15 * most, rel=0.1)
    times = batched.levels[0].batches
    assert len(times) / times[-1] == pytest.approx(paper.GAIN)


def test_smaller_models_are_faster_and_worse_by_the_same_line():
    levels = paper.ladder(smaller=True)
    seconds = [level.seconds[paper.GPU] for level in levels]
    means = paper.means(levels)
    assert seconds == sorted(seconds, reverse=True)
    assert list(means) == sorted(means, reverse=True)
    slopes = np.diff(means[4:]) / np.diff(seconds[4:])
    assert slopes == pytest.approx([slopes[0]] * len(slopes))


def test_smaller_models_can_be_much_worse(nowhere):
    scenario = paper.scenario(0, minutes=1, smaller=True, beyond=paper.WORSE)
    wanted = (*paper.QUALITIES, *paper.WORSE.values())
    assert scenario.prompts.truth.mean(axis=0) == pytest.approx(wanted, abs=2e-4)


def test_the_store_goes_down_half_way(nowhere):
    scenario = paper.scenario(0, minutes=10, outage=True, smaller=True)
    (outage,) = scenario.store.outages
    assert outage.start == scenario.arrivals[-1] / 2
    assert outage.end > scenario.span
    assert scenario.switch_seconds == paper.LOADS


def test_bursts_are_where_the_load_is(nowhere):
    scenario = paper.scenario(0)
    within = sum(
        ((scenario.arrivals >= a) & (scenario.arrivals < b)).sum() for a, b in paper.BURSTS
    )
    minutes = sum(b - a for a, b in paper.BURSTS) / 60
    assert within / minutes == pytest.approx(paper.PLATEAU, rel=0.02)


def test_lulls_are_what_bursts_leave():
    stretches = sorted([*paper.BURSTS, *paper.LULLS])
    assert (stretches[0][0], stretches[-1][1]) == (0, 840 * 60)
    assert all(before[1] == after[0] for before, after in pairwise(stretches))


def test_similarities_are_taken_in_the_order_in_which_they_were_logged(nowhere):
    scenario = paper.scenario(0, minutes=5)
    count = len(scenario.prompts.truth)
    assert (np.diff(scenario.prompt_of) % count == 1).all()
    shares = [(scenario.prompts.similarity > above).mean() for above in (0.65, 0.95)]
    assert shares == pytest.approx([1 - paper.SHARES[0], paper.SHARES[-1]], abs=0.01)


def test_batches_are_straight_between_measured_sizes():
    assert profiles.batches({1: 2.0, 2: 3.0, 4: 7.0}) == pytest.approx((1.0, 1.5, 2.5, 3.5))


@pytest.mark.skipif(not data.DEFAULT.exists(), reason="no recorded data on this machine")
def test_published_times_are_those_of_the_file():
    assert profiles.read(data.DEFAULT / "profiles" / "a100_latency_ms.csv") == profiles.PUBLISHED


@pytest.mark.parametrize("name", azure.FID)
def test_a_light_image_is_worth_what_it_adds_to_the_fid(name):
    fid, confidence = azure.FID[name], rng().random(10_000)
    found = azure.quality(confidence, fid)
    order = np.argsort(-confidence)
    assert (np.diff(found[order]) <= 0).all()
    best = int(np.argmin(fid)) / 10
    assert (found == 1).mean() == pytest.approx(best, abs=0.06)
    added = (fid[-1] - min(fid)) / fid[0]
    assert 1 - found.mean() == pytest.approx(added, abs=0.06)


def test_the_heavy_level_is_the_best_for_every_prompt(nowhere):
    scenario = azure.scenario(0)
    assert (scenario.prompts.truth[:, 0] == 1).all()
    assert scenario.levels[0].name == azure.HEAVY
    assert scenario.deadline == 5
    assert len(scenario.workers) == 16


def test_diffserve_can_run_where_discriminators_judge(nowhere):
    outcome = simulate(azure.scenario(0, trace="1to8"), make("diffserve"), clock=still)
    assert set(outcome.level.tolist()) >= {0, 1}


@pytest.mark.parametrize("build", [azure.scenario, twitter.scenario, gentd.scenario])
def test_predictions_correlate_with_the_truth_as_asked(nowhere, build):
    prompts = build(0, correlation=0.5).prompts
    for level in range(1, prompts.truth.shape[1]):
        found = np.corrcoef(prompts.truth[:, level], prompts.predicted[:, level])[0, 1]
        assert found == pytest.approx(0.5, abs=0.06)


def test_ladders_of_sdxl_and_its_kin_have_the_qualities_that_are_stated():
    found = sdxl.prompts(0.7, rng()).truth.mean(axis=0)
    assert found == pytest.approx(tuple(sdxl.QUALITIES.values()), abs=2e-4)


@pytest.mark.parametrize("rate", [3.0, 30.0])
def test_recorded_arrivals_take_the_same_time_at_any_load(tmp_path, rate):
    file = tmp_path / "trace.csv"
    file.write_text("arrival_s\n" + "".join(f"{i / 10}\n" for i in range(10_000)))
    given = data.trace(file, "azure", rng())
    found, _ = data.arrivals(given, rate=rate, step=5.0, rng=rng())
    assert len(found) / found[-1] == pytest.approx(rate, rel=0.05)
    assert found[-1] == pytest.approx(1000, rel=0.01)


def test_a_hastened_trace_keeps_its_requests(tmp_path):
    file = tmp_path / "trace.csv"
    file.write_text("arrival_s\n5\n6\n9\n")
    assert data.hastened(data.trace(file, "azure", rng()), 2.0).arrivals.tolist() == [0, 0.5, 2]
    wave = data.hastened(data.curve(np.array([1.0, 3.0]), 60.0), 12.0)
    assert (wave.rates.tolist(), wave.step) == ([10, 30], 6)


@pytest.mark.parametrize("share", [0.3, 1.5])
@pytest.mark.parametrize("build", [RECORDED["paper"], RECORDED["1to8"], shapes.scenario])
def test_loads_are_shares_of_what_the_fastest_level_carries(nowhere, build, share):
    scenario = loads.Loaded(build=build, share=share)(0)
    require_valid(scenario)
    rate = len(scenario.arrivals) / scenario.arrivals[-1]
    assert rate / loads.carried(scenario) == pytest.approx(share, rel=0.1)


def test_what_the_fastest_level_carries_can_be_served_and_not_much_more():
    build = partial(paper.scenario, minutes=20, multiple=6.0)
    shares = {}
    for load in (0.95, 1.2):
        outcome = simulate(
            loads.Loaded(build=build, share=load)(0), make("clipper-ht"), clock=still
        )
        shares[load] = (outcome.state == State.IN_TIME).mean()
    assert shares[0.95] > 0.97
    assert shares[1.2] < 0.9


def test_the_small_models_have_the_studios_levels_and_measured_qualities(tmp_path):
    file = tmp_path / "quality.csv"
    names = ["large-24", "large-12", "small-16", "small-8", "tiny-8"]
    file.write_text(
        ",".join(["caption", *names]) + "\nred ring,1,1,0.5,0.5,0\nblue box,1,0,1,0,0\n"
    )
    scenario = shapes.scenario(0, workers=1, quality=file)
    require_valid(scenario)
    assert scenario.name == "shapes"
    assert [level.name for level in scenario.levels] == names
    assert scenario.prompts.truth.tolist() == [[1, 1, 0.5, 0.5, 0], [1, 0, 1, 0, 0]]


def test_the_small_models_can_have_a_constant_load():
    scenario = shapes.scenario(0, seconds=30, rate=40.0)
    assert scenario.arrivals[-1] == pytest.approx(30, abs=0.5)
    halves = np.histogram(scenario.arrivals, bins=2, range=(0, 30))[0]
    assert halves == pytest.approx([600, 600], abs=120)


def test_a_day_swings_from_idle_to_more_than_anyone_carries():
    scenario = day.scenario(0, hours=0.5)
    require_valid(scenario)
    by_minute = np.bincount((scenario.arrivals / 60).astype(int)) / 60
    assert by_minute.mean() == pytest.approx(day.RATE, rel=0.05)
    assert by_minute.max() > loads.carried(scenario)
    best = scenario.levels[0].seconds[paper.GPU]
    assert by_minute.min() < 1.1 * len(scenario.workers) / best


def test_without_measured_qualities_the_small_models_have_the_studios(tmp_path):
    scenario = shapes.scenario(0, workers=1, quality=tmp_path / "none.csv")
    require_valid(scenario)
    assert scenario.name.endswith(data.LOOKALIKE)
    assert scenario.prompts.truth.mean(axis=0) == pytest.approx((1, 0.985, 0.835, 0.82, 0.305))
    assert same(scenario, shapes.scenario(0, workers=1, quality=tmp_path / "none.csv"))
