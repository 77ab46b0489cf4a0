import pytest

from argus_core.errors import InvalidRequest
from argus_core.profile.applying import apply
from argus_core.profile.document import parse_profile
from argus_core.profile.figures import priors, qualities, started
from argus_core.spec import parse_cluster
from profile_support import document, row, timing

TWO_AT_ONCE = {"device": "cpu", "timings": {"dear": {"48x48": {"2": timing()}}}}


def start(prompt, origin, scores, relation="near"):
    return {
        "prompt": prompt, "level": "begun", "from": origin, "scores": scores, "relation": relation,
    }  # fmt: skip


def profile_of(*rows, starts=(), **quality):
    told = {**document()["quality"], "prompts": list(rows), **quality}
    return parse_profile(document(quality=told, starts=list(starts)))


def cluster(**changes):
    variants = [{"name": n, "model": "builtin:shapes-tiny", "family": "shapes"}
                for n in ("big", "small")]  # fmt: skip
    ladder = [
        {**level, "quality": 0.5, "seconds": {"cpu": 9.0, "other": 7.0}}
        for level in document()["ladder"]
    ]
    spec = {
        "pools": [{"name": "cpu", "workers": 1}],
        "defaultSize": {"width": 48, "height": 48},
        "variants": variants,
        "ladder": ladder,
        **changes,
    }
    head = {"apiVersion": "argus.dev/v1alpha1", "kind": "ArgusCluster", "metadata": {"name": "x"}}
    return parse_cluster({**head, "spec": spec})


def test_quality_is_what_is_lost_against_the_best_level_prompt_by_prompt():
    profile = profile_of(row("a", [], [1, 1], [1, 0]), row("b", [], [1, 0], [0, 0]))
    assert [r[0] for r in qualities(profile)] == [1, 1]
    assert [r[2] for r in qualities(profile)] == [0.5, 0.5]


def test_a_level_that_few_seeds_show_above_the_best_evens_out_in_the_mean_alone():
    profile = profile_of(row("a", [], [0, 0], [1, 0]), row("b", [], [1, 1], [1, 0]))
    assert [r[2] for r in qualities(profile)] == [1.0, 0.5]
    assert priors(profile)["cheap"] == 1.0
    worse = profile_of(row("a", [], [0, 0], [1, 0]), row("b", [], [1, 1], [0, 0]))
    assert priors(worse)["cheap"] == pytest.approx(0.75)


def test_preferences_are_compared_by_their_scale():
    rows = [row("a", [], [0, 0], [-1, -1])]
    mild, strong = (
        priors(profile_of(*rows, comparison="win", scale=s))["cheap"] for s in (0.1, 10)
    )
    assert 0.9 < mild < 1
    assert strong < 0.01


def test_cached_starts_count_by_prompt_and_far_ones_do_not():
    starts = [
        start("a", "a", [1], "same"), start("a", "b", [0]), start("a", "c", [0], "far"),
        start("b", "a", [1]),
    ]  # fmt: skip
    rows = [row(name, [], [1], [1]) for name in ("a", "b", "c")]
    profile = profile_of(*rows, starts=starts)
    assert priors(profile)["begun"] == pytest.approx(0.75)
    assert [r[1] for r in qualities(profile)] == [0.5, 1.0, 0.75]
    assert [quality for _, quality in started(profile)] == [1, 0, 0, 1]


def test_seconds_and_qualities_of_a_cluster_become_the_measured_ones():
    profile = parse_profile(document())
    ladder = apply(cluster(), profile).spec.ladder
    assert [level.seconds for level in ladder] == [{"cpu": 0.1, "other": 7.0}] * 3
    assert [level.quality for level in ladder] == [priors(profile)[level.name] for level in ladder]


def test_a_cached_level_without_starts_keeps_its_quality():
    profile = parse_profile(document(starts=[]))
    assert apply(cluster(), profile).spec.ladder[1].quality == 0.5


def test_a_cluster_may_have_fewer_levels_than_the_profile():
    found = cluster(
        ladder=[{**document()["ladder"][0], "quality": 0.5, "seconds": {"cpu": 1}}],
        variants=[{"name": "big", "model": "builtin:shapes-tiny", "family": "shapes"}],
    )
    assert len(apply(found, parse_profile(document())).spec.ladder) == 1


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"ladder": [{**document()["ladder"][0], "steps": 9}, *document()["ladder"][1:]]}, "steps"),
        ({"devices": {"h100": document()["devices"]["cpu"]}}, "has no time on cpu at 48x48"),
        (
            {
                "devices": {
                    "cpu": {"device": "cpu", "timings": {"dear": {"48x48": {"2": timing()}}}}
                }
            },
            "has no time on cpu at 48x48, one at once",
        ),
    ],
)
def test_a_profile_of_something_else_is_refused_by_level(changes, named):
    with pytest.raises(InvalidRequest) as caught:
        apply(cluster(), parse_profile(document(**changes)))
    assert named in str(caught.value)
    assert caught.value.violations[0].field == "ladder[dear]"


def test_a_level_that_the_profile_lacks_is_refused():
    fewer = document(
        ladder=[level for level in document()["ladder"] if level["name"] != "begun"],
        starts=[],
        devices={},
    )
    with pytest.raises(InvalidRequest, match="ladder\\[begun\\]: the profile has only dear, cheap"):
        apply(cluster(), parse_profile(fewer))
