"""Quality is relative to the best level, as each metric compares."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus_core.errors import InvalidRequest
from argus_core.quality import Comparison, relative

SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=4)
LOGITS = st.lists(st.floats(-1000, 1000), min_size=1, max_size=4)
DIFFERENCE, WIN, SIMILARITY = Comparison.DIFFERENCE, Comparison.WIN, Comparison.SIMILARITY


@pytest.mark.parametrize("comparison", [DIFFERENCE, WIN])
@given(scores=SCORES)
def test_equals_have_quality_one(comparison, scores):
    assert relative(comparison, scores, scores) == pytest.approx(1.0)


@given(scores=SCORES, best=SCORES)
def test_a_difference_costs_what_is_lost_on_average(scores, best):
    lost = sum(best) / len(best) - sum(scores) / len(scores)
    assert relative(DIFFERENCE, scores, best, clip=False) == pytest.approx(1 - lost)


def test_a_win_is_twice_the_chance_of_being_preferred():
    # By Bradley and Terry, log-odds of -ln 3 are a chance of one in four.
    assert relative(WIN, [0.0], [1.0986122886681098]) == pytest.approx(0.5)
    assert relative(WIN, [0.0], [0.10986122886681098], scale=10) == pytest.approx(0.5)


@given(scores=LOGITS, best=LOGITS)
def test_wins_hold_every_seed_against_every_seed_and_what_one_wins_the_other_loses(scores, best):
    won = relative(WIN, scores, best, clip=False)
    lost = relative(WIN, best, scores, clip=False)
    assert 0 <= won <= 2
    assert won + lost == pytest.approx(2.0)


def test_similarity_is_the_mean_and_reads_no_best():
    assert relative(SIMILARITY, [0.2, 0.6], []) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("comparison", "scores", "best", "raw"),
    [(DIFFERENCE, [1.0], [0.0], 2.0), (WIN, [50.0], [0.0], 2.0), (SIMILARITY, [-0.5], [], -0.5)],
)
def test_quality_is_kept_within_0_and_1_unless_asked_not_to(comparison, scores, best, raw):
    assert relative(comparison, scores, best, clip=False) == pytest.approx(raw)
    assert relative(comparison, scores, best) == (1.0 if raw > 1 else 0.0)


@pytest.mark.parametrize(
    ("scores", "best", "field"),
    [
        ([], [1.0], "scores"),
        ([1.0], [], "best"),
        ([float("nan")], [1.0], "scores"),
        ([1.0], [float("inf")], "best"),
    ],
)
def test_missing_and_infinite_scores_are_refused_by_name(scores, best, field):
    with pytest.raises(InvalidRequest) as error:
        relative(DIFFERENCE, scores, best)
    assert [violation.field for violation in error.value.violations] == [field]
