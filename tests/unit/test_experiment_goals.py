import pytest

import paper
from support import goals
from support.standing import A_MINUTE, GOODPUT, QUALITY, VALUE, VIOLATIONS, Standing, against


def standing(*, bounds=(), **policies):
    """By policy: violations, in time a minute, quality; a list for figures by seed."""
    by_seed = {
        name.replace("_", "-"): {
            figure: value if isinstance(value, list) else [value]
            for figure, value in zip((VIOLATIONS, GOODPUT, QUALITY, VALUE), found, strict=False)
        }
        for name, found in policies.items()
    }
    return Standing(part="here", by_seed=by_seed, bounds=bounds)


@pytest.mark.parametrize(
    ("rival", "met"),
    [
        ((0.01, 100, 0.91), False),
        ((0.005, 100, 0.9), False),
        ((0.01, 100, 0.9), True),
        ((0.0, 120, 0.89), True),
        ((0.0, 99, 0.95), True),
        ((0.02, 120, 0.95), True),
        ((0.0, 120, None), True),
    ],
)
def test_who_is_nowhere_worse_and_somewhere_better_dominates(rival, met):
    found = goals.undominated(standing(argus=(0.01, 100, 0.9), pac=rival))
    assert found.met is met
    assert found.numbers["dominated_by"] == ([] if met else ["pac"])


def test_nobody_is_judged_without_argus_or_without_baselines():
    assert goals.undominated(standing(pac=(0.0, 100, 0.9))).met is None
    assert goals.undominated(standing(argus=(0.0, 100, 0.9))).met is None
    assert goals.beats_the_paper(standing(argus=(0.0, 100, 0.9))).met is None
    assert goals.regret(standing(argus=(0.0, 1, 1, 0.9), bounds=[1.0])).met is None


def test_ratios_are_of_means_over_the_seeds():
    ours, theirs = ([0.0, 0.02], [110, 130], [0.88, 0.9]), ([0.2, 0.2], [80, 80], [0.8, 0.8])
    found = against(standing(argus=ours, pac=theirs), "pac")
    assert (found.ratio, found.quality, found.throughput) == pytest.approx((20, 1.1125, 1.5))
    assert found.reached == {VIOLATIONS: True, QUALITY: True, GOODPUT: True}
    assert found.differences[VIOLATIONS].mean == pytest.approx(-0.19)
    assert found.differences[VIOLATIONS].half > 0.1


@pytest.mark.parametrize(
    ("ours", "theirs", "ratio", "reached"),
    [
        (0.0, 0.1, None, True),
        (0.0, 0.0, None, None),
        (0.1, 0.0, 0.0, False),
        (0.01, 0.1, 10.0, True),
        (0.011, 0.1, 9.09091, False),
        (0.01, None, None, None),
    ],
)
def test_violations_that_we_do_not_have_are_any_times_fewer(ours, theirs, ratio, reached):
    found = against(standing(argus=(ours, 1, 1), pac=(theirs, 1, 1)), "pac")
    assert found.ratio == ratio
    assert found.reached[VIOLATIONS] is reached


def test_figures_that_are_missing_are_told_as_missing():
    found = against(standing(argus=(0.1, 0, None), pac=(1.0, 0, None)), "pac")
    assert (found.quality, found.throughput) == (None, None)
    assert found.reached == {VIOLATIONS: True, QUALITY: None, GOODPUT: None}
    assert found.differences[QUALITY] is None


def test_claims_are_judged_against_those_that_they_hold_against_in_the_paper():
    given = standing(
        argus=(0.001, 390, 0.95), clipper_ha=(0.5, 200, 1.0), nirvana=(0.3, 300, 0.96),
        pac=(0.0, 390, 0.9),
    )  # fmt: skip
    fewer, more = (goals.claim(given, figure) for figure in (VIOLATIONS, GOODPUT))
    assert fewer.met
    assert more.met is False
    assert more.numbers["reached"] == {"clipper-ha": True, "nirvana": False}
    assert "clipper-ht" in goals.claim(given, QUALITY).goal
    assert goals.claim(given, QUALITY).met is None
    assert [g.goal[:3] for g in goals.general(given)] == ["no ", "10x", "40 ", "few"]


@pytest.mark.parametrize(
    ("ours", "theirs", "met"),
    [
        ((0.01, 0.95), (0.02, 0.94), True),
        ((0.02, 0.95), (0.02, 0.94), False),
        ((0.01, 0.94), (0.02, 0.94), False),
        ((0.0, 0.95), (0.0, 0.94), True),
    ],
)
def test_the_papers_policy_is_beaten_in_violations_and_in_quality(ours, theirs, met):
    (a, q), (b, p) = ours, theirs
    assert goals.beats_the_paper(standing(argus=(a, 1, q), paper=(b, 1, p))).met is met


@pytest.mark.parametrize(("value", "met"), [(0.9, True), (0.85, True), (0.84, False)])
def test_regret_is_held_to_half_of_the_papers_policys(value, met):
    given = standing(argus=(0, 1, 1, value), paper=(0, 1, 1, 0.75), bounds=[0.95])
    assert goals.regret(given).met is met


def test_no_regret_is_half_of_none():
    given = standing(argus=(0, 1, 1, 1.0), paper=(0, 1, 1, 1.0), bounds=[1.0])
    assert goals.regret(given).met


def test_figures_are_held_to_a_number_and_to_the_papers_policy():
    given = standing(argus=(0.01, 1, 0.95), paper=(0.1, 1, 0.941))
    assert goals.at_most(given, VIOLATIONS, 0.01, goal="", form="{:.3f}").met
    assert goals.at_least(given, QUALITY, 0.951, goal="", form="{:.3f}").met is False
    assert goals.at_least(given, VALUE, 0.9, goal="", form="{:.3f}").met is None
    assert goals.ahead(given, QUALITY, 0.01, goal="").met is False


def test_the_papers_goals_are_judged_by_what_is_in_the_bursts():
    figures = {VIOLATIONS: [0.004], A_MINUTE: [0.4], GOODPUT: [389.4], QUALITY: [0.95], VALUE: [1]}
    theirs = {**figures, QUALITY: [0.93]}
    views = {"argus": figures, "paper": theirs}
    part = {
        "bounds": None,
        "policies": {n: {"views": {paper.BURSTS: {"by_seed": f}}} for n, f in views.items()},
    }
    assert [goal.met for goal in paper.in_bursts(part)] == [True] * 4
