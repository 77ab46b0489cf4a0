"""From options to scenarios, on the small studio: `large-24` takes 0.12 s on each of two CPUs."""

from dataclasses import replace

import numpy as np
import pytest

from argus_cli.simulate.prompts import drawn
from argus_cli.simulate.scenario import FITTED, carried, scenario_of
from argus_core.errors import InvalidRequest
from argus_core.pricing import SHED_LOSS
from simulate_support import outline
from simulator_support import level

CARRIED = 2 / 0.12
LEVELS = ("large-24", "large-12", "small-16", "small-8", "tiny-8")
HEAD = ",".join(LEVELS)


def same(one, other, *fields):
    return all(np.array_equal(getattr(one, f), getattr(other, f)) for f in fields)


# Prompts made up


@pytest.mark.parametrize(("mean", "spread"), [(0.98, 0.4), (0.8, 0.4), (0.3, 0.2), (0.5, 0.95)])
def test_made_up_prompts_have_the_ladder_s_mean_and_the_spread_asked_for(mean, spread):
    made = drawn([mean], count=40_000, spread=spread, rng=np.random.default_rng(1))
    assert made.mean() == pytest.approx(mean, abs=0.01)
    assert made.std() == pytest.approx(spread * np.sqrt(mean * (1 - mean)), rel=0.03)
    assert ((made >= 0) & (made <= 1)).all()


def test_levels_of_a_prompt_go_together():
    made = drawn([0.9, 0.8, 0.6], count=5000, spread=0.4, rng=np.random.default_rng(1))
    between = np.corrcoef(made.T)
    assert (between[np.triu_indices(3, 1)] > 0.7).all()


def test_prompts_without_spread_or_at_the_ends_are_all_alike():
    rng = np.random.default_rng(1)
    assert (drawn([0.7], count=9, spread=0.0, rng=rng) == 0.7).all()
    assert (drawn([1.0, 0.0], count=9, spread=0.4, rng=rng) == [1.0, 0.0]).all()


# Arrivals


def test_a_look_alike_fits_the_cluster_where_nothing_else_is_asked_for():
    given = scenario_of(outline(trace="constant", duration=None), 0)
    assert given.span - given.deadline == pytest.approx(FITTED, abs=2)
    assert len(given.arrivals) / FITTED == pytest.approx(CARRIED, rel=0.05)


def test_a_look_alike_is_pressed_into_the_time_asked_for_with_its_shape():
    given = scenario_of(outline(trace="bursty", duration="84s", rate=30.0), 0)
    per_second = np.histogram(given.arrivals, bins=84, range=(0, 84))[0]
    # Minutes 135 to 265 of 840 are a burst: seconds 13.5 to 26.5 of 84.
    assert per_second[15:26].mean() > 5 * per_second[2:13].mean()
    assert len(given.arrivals) / 84 == pytest.approx(30, rel=0.1)


def test_a_look_alike_at_a_speed_is_cut_instead():
    given = scenario_of(outline(trace="bursty", duration="10s", speed=60.0), 0)
    # The first ten of 840 minutes, all of them before the first burst.
    assert given.arrivals[-1] < 10
    assert len(given.arrivals) / 10 < 0.6 * CARRIED


def trace(tmp_path, text):
    path = tmp_path / "trace.csv"
    path.write_text(text)
    return str(path)


RECORDED = "arrival_s,prompt_id\n0,7\n1,3\n2,7\n4,900\n8,3\n"


def test_a_recorded_trace_happens_as_it_was(tmp_path):
    given = scenario_of(outline(trace=trace(tmp_path, RECORDED), duration=None), 0)
    assert given.arrivals.tolist() == [0, 1, 2, 4, 8]


def test_a_recorded_trace_is_told_faster_then_cut(tmp_path):
    path = trace(tmp_path, RECORDED)
    given = scenario_of(outline(trace=path, duration="2100ms", speed=2.0), 0)
    assert given.arrivals.tolist() == [0, 0.5, 1, 2]


def test_the_rate_asked_for_holds_at_any_speed(tmp_path):
    path = trace(tmp_path, "arrival_s\n" + "\n".join(str(i / 10) for i in range(10_001)))
    given = scenario_of(outline(trace=path, duration=None, rate=5.0, speed=4.0), 0)
    assert len(given.arrivals) / given.arrivals[-1] == pytest.approx(5, rel=0.1)
    assert given.arrivals[-1] == pytest.approx(250, rel=0.02)


def test_requests_that_name_the_same_prompt_have_the_same_qualities(tmp_path):
    given = scenario_of(outline(trace=trace(tmp_path, RECORDED), duration=None), 0)
    first, second, third, fourth, fifth = given.prompt_of
    assert (first, second) == (third, fifth)
    assert len({first, second, fourth}) == len(given.prompts.truth) == 3


# Qualities


def measured(tmp_path, rows, head=HEAD):
    path = tmp_path / "q.csv"
    path.write_text("\n".join([head, *rows]))
    return path


def test_measured_qualities_are_the_truth_and_requests_draw_from_them(tmp_path):
    path = measured(tmp_path, ["1,0.9,0.8,0.7,0.1", "1,1,1,1,0.9"])
    given = scenario_of(outline(qualities=path), 0)
    assert given.prompts.truth.tolist() == [[1, 0.9, 0.8, 0.7, 0.1], [1, 1, 1, 1, 0.9]]
    assert set(given.prompt_of.tolist()) == {0, 1}


def test_a_trace_s_prompts_are_the_rows_of_the_qualities(tmp_path):
    path = measured(tmp_path, ["1,1,1,1,1"] * 10)
    found = outline(trace=trace(tmp_path, "arrival_s,prompt_id\n0,9\n1,0\n"), qualities=path)
    assert scenario_of(found, 0).prompt_of.tolist() == [9, 0]
    with pytest.raises(InvalidRequest, match="--qualities: has 10 rows, and the trace names.* 10"):
        scenario_of(replace(found, trace=trace(tmp_path, "arrival_s,prompt_id\n0,10\n")), 0)


def test_similarities_and_discriminators_reach_the_policies(tmp_path):
    head = ",".join([*LEVELS, "similarity", "confidence:tiny-8"])
    path = measured(tmp_path, ["1,1,1,1,0,0.5,0.25", "1,1,1,1,0,-1,0.75"], head)
    prompts = scenario_of(outline(qualities=path), 0).prompts
    assert prompts.similarity.tolist() == [0.5, -1]
    assert {k: v.tolist() for k, v in prompts.confidence.items()} == {4: [0.25, 0.75]}


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.9, 1.0])
def test_predictions_are_as_good_as_asked_for(correlation):
    prompts = scenario_of(outline(correlation=correlation), 0).prompts
    truth, told = prompts.truth[:, 2], prompts.predicted[:, 2]
    if correlation:
        assert np.corrcoef(truth, told)[0, 1] == pytest.approx(correlation, abs=0.06)
    else:
        assert np.ptp(told) == 0


# Chance


def test_a_seed_makes_the_same_scenario_again_and_another_seed_another():
    found = outline()
    one, again, other = scenario_of(found, 3), scenario_of(found, 3), scenario_of(found, 4)
    assert same(one, again, "arrivals", "prompt_of")
    assert same(one.prompts, again.prompts, "truth", "predicted")
    assert not same(one, other, "arrivals")
    assert not same(one.prompts, other.prompts, "truth")


def test_an_option_changes_no_other_s_draws():
    plain, blind = (scenario_of(outline(correlation=c), 0) for c in (0.7, 0.2))
    assert same(plain, blind, "arrivals", "prompt_of")
    assert same(plain.prompts, blind.prompts, "truth")
    twice = scenario_of(outline(spread=0.2), 0)
    assert same(plain, twice, "arrivals", "prompt_of")


# The cluster

DOCUMENT = """
apiVersion: argus.dev/v1alpha1
kind: ArgusCluster
metadata: {name: test}
spec:
  slo: {deadlineSeconds: 8, target: 0.9}
  pools:
    - {name: main, workers: 2, gpuType: h100}
    - {name: spare, workers: 3, gpuType: a10}
  variants:
    - {name: large, model: "builtin:large", family: shapes}
    - {name: small, model: "builtin:small", family: shapes}
  ladder:
    - {name: large-20, variant: large, steps: 20, quality: 1.0, seconds: {h100: 4, a10: 20}}
    - {name: large-20-10, variant: large, steps: 20, skippedSteps: 10, quality: 0.9,
       seconds: {h100: 2, a10: 10}}
    - {name: small-4, variant: small, steps: 4, quality: 0.8, seconds: {h100: 1, a10: 5}}
"""


@pytest.fixture
def document(tmp_path):
    path = tmp_path / "cluster.yaml"
    path.write_text(DOCUMENT)
    return path


def test_the_document_says_what_no_option_does(document):
    given = scenario_of(outline(file=document, slo=None), 0)
    assert (given.deadline, given.target) == (8, 0.9)
    assert given.workers == ("h100", "h100", "a10", "a10", "a10")
    assert [le.needs_start for le in given.levels] == [False, True, False]
    assert given.shed_loss == SHED_LOSS
    document.write_text(f"{DOCUMENT}  planning: {{shedLoss: 5}}\n")
    assert scenario_of(outline(file=document, slo=None), 0).shed_loss == 5


def test_workers_are_those_of_the_pool_named(document):
    assert outline(file=document, workers=1).workers == ("h100", "a10", "a10", "a10")
    assert outline(file=document, workers=1, pool="spare").workers == ("h100", "h100", "a10")


def test_what_is_carried_counts_each_gpu_type_at_its_best_level_in_time():
    levels = level("large", {"h": 4, "a": 20}), level("small", {"h": 1, "a": 5})
    gpus = "h", "h", "a"
    assert carried(levels, (1.0, 0.8), gpus, 30) == pytest.approx(2 / 4 + 1 / 20)
    assert carried(levels, (1.0, 0.8), gpus, 8) == pytest.approx(2 / 4 + 1 / 5)
    assert carried(levels, (0.8, 1.0), gpus, 8) == pytest.approx(2 / 1 + 1 / 5)
    assert carried(levels, (1.0, 0.8), gpus, 0.5) == pytest.approx(2 / 1 + 1 / 5)


def test_switch_times_are_by_variant_or_for_all_that_are_not_named(document):
    def of(*given):
        return outline(file=document, switch=given).switch_seconds

    assert of() == {}
    assert of("20s") == {"large": 20, "small": 20}
    assert of("small=1500ms") == {"small": 1.5}
    assert of("small=2s", "20s") == of("20s", "small=2s") == {"small": 2, "large": 20}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("trace", "nowhere"), ("rate", 0.0), ("duration", "soon"), ("speed", 0.0), ("slo", "0s"),
        ("workers", 0), ("pool", "none"), ("spread", 0.96), ("correlation", 1.1),
        ("variation", -0.1), ("switch", ["none=2s"]), ("switch", ["2x"]), ("interval", "0s"),
        ("retries", -1), ("speed", float("nan")),
    ],
)  # fmt: skip
def test_a_wrong_option_is_named(option, value):
    with pytest.raises(InvalidRequest) as refused:
        scenario_of(outline(**{option: value}), 0)
    assert [v.field for v in refused.value.violations] == [f"--{option}"]


def test_a_seed_below_0_is_named():
    with pytest.raises(InvalidRequest, match="--seed: must be 0 or more, not -1"):
        scenario_of(outline(), -1)
