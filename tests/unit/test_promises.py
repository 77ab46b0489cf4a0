"""Which objective an image counts for and against."""

import pytest
from prometheus_client import CollectorRegistry

from argus_core.spec import Slo
from argus_router.load import Outcome
from argus_router.promises import OBJECTIVES, VERDICTS, Promises

SLO = Slo(good_quality=0.6, target=0.95)


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
def promises(registry):
    return Promises(SLO, registry)


def counted(registry):
    """What was counted, by objective and verdict; zeros left out."""
    found = {
        (objective, verdict): registry.get_sample_value(
            "argus_slo_images_total", {"objective": objective, "verdict": verdict}
        )
        for objective in OBJECTIVES
        for verdict in VERDICTS
    }
    assert None not in found.values()  # From the start, or the first bad one is not seen to come.
    return {key: count for key, count in found.items() if count}


def test_targets_are_the_documents(registry, promises):
    told = {
        objective: registry.get_sample_value("argus_slo_target_ratio", {"objective": objective})
        for objective in OBJECTIVES
    }
    assert told == {"latency": 0.95, "availability": 0.999, "quality": 0.9}


@pytest.mark.parametrize(("quality", "verdict"), [(0.6, "good"), (0.59, "bad")])
def test_drawn_image_keeps_every_promise_but_perhaps_that_of_quality(
    registry, promises, quality, verdict
):
    promises.drawn(quality)
    good = {("latency", "good"): 1, ("availability", "good"): 1}
    assert counted(registry) == {**good, ("quality", verdict): 1}


@pytest.mark.parametrize("outcome", Outcome)
def test_bad_image_spends_the_budget_of_one_objective_at_most(registry, promises, outcome):
    if outcome is not Outcome.OK:
        promises.missed(outcome, 3)
    bad = [objective for objective, verdict in counted(registry) if verdict == "bad"]
    spends = {Outcome.LATE: ["latency"], Outcome.REFUSED: ["latency"]}
    assert bad == {**spends, Outcome.FAILED: ["availability"]}.get(outcome, [])


@pytest.mark.parametrize("outcome", [Outcome.INVALID, Outcome.CANCELLED])
def test_what_the_asker_answers_for_counts_nowhere(registry, promises, outcome):
    promises.missed(outcome)
    assert counted(registry) == {}
