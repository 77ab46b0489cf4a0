"""`--profile` of `argus plan` and its kin, and what `argus profile` refuses."""

import json

import pytest
import yaml

from profile_support import LADDER, document
from simulate_support import outline


@pytest.fixture
def cluster(tmp_path):
    path = tmp_path / "cluster.yaml"
    names = ("big", "small")
    head = {"apiVersion": "argus.dev/v1alpha1", "kind": "ArgusCluster", "metadata": {"name": "x"}}
    ladder = [{**level, "quality": 0.5, "seconds": {"cpu": 9}} for level in reversed(LADDER)]
    spec = {
        "pools": [{"name": "cpu", "workers": 2}],
        "defaultSize": {"width": 48, "height": 48},
        "variants": [
            {"name": n, "model": "builtin:shapes-tiny", "family": "shapes"} for n in names
        ],
        "ladder": ladder,
    }
    path.write_text(yaml.safe_dump({**head, "spec": spec}))
    return path


@pytest.fixture
def profile(tmp_path):
    def write(name="profile.json", **changes):
        path = tmp_path / name
        path.write_text(json.dumps(document(**changes)))
        return path

    return write


def test_the_simulator_takes_seconds_prompts_and_loading_from_it(cluster, profile):
    found = outline(file=cluster, profile=profile())
    assert [level.seconds for level in found.levels] == [{"cpu": 0.1}] * 3
    # The cluster lists its levels the other way round: cheap, begun, dear.
    assert found.measured.qualities == ((0.5, 0.5, 1.0), (0.5, 0.5, 1.0))
    assert found.switch_seconds == {"big": 1.0}


def test_a_time_to_load_that_is_told_goes_before_the_measured(cluster, profile):
    found = outline(file=cluster, profile=profile(), switch=("big=3s",))
    assert found.switch_seconds == {"big": 3.0}


def test_the_planner_takes_seconds_and_prompts_from_it(cluster, profile, argus):
    told = ("plan", "-f", cluster, "--rate", "15", "--quality", "0.9", "--json")
    _, before, _ = argus(*told)
    status, after, _ = argus(*told, "--profile", profile())
    assert status == 0
    # 15 a second at 0.1 s each take two workers and a half-empty one; at 9 s they took dozens.
    assert json.loads(after)["smallest"] <= 4
    assert json.loads(before)["smallest"] is None or json.loads(before)["smallest"] > 40


@pytest.mark.parametrize("command", [("plan", "--rate", "1"), ("simulate",), ("compare",)])
def test_a_profile_of_another_ladder_is_refused_by_option_and_level(
    cluster, profile, argus, command
):
    other = profile(ladder=[{**LADDER[0], "steps": 9}, *LADDER[1:]])
    status, _, error = argus(*command, "-f", cluster, "--profile", other)
    assert status == 2
    assert "--profile" in error
    assert "ladder[dear]" in error


@pytest.mark.parametrize("command", [("plan", "--rate", "1"), ("simulate",), ("compare",)])
def test_qualities_and_a_profile_are_not_taken_together(cluster, profile, argus, command):
    path = profile()
    status, _, error = argus(*command, "-f", cluster, "--profile", path, "--qualities", path)
    assert status == 2
    assert "--qualities: must be left out" in error


@pytest.mark.parametrize("text", [b"{", b"[]", b"\xff", b'{"kind": "Other"}'])
def test_what_is_no_profile_is_refused_by_option(cluster, tmp_path, argus, text):
    path = tmp_path / "broken.json"
    path.write_bytes(text)
    status, _, error = argus("plan", "-f", cluster, "--rate", "1", "--profile", path)
    assert status == 2
    assert "--profile: " in error


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--batches", "1,x"), "--batches"),
        (("--batches", "0"), "--batches"),
        (("--sizes", "64"), "--sizes"),
        (("--seeds", "0"), "--seeds"),
        (("--captions", "0"), "--captions"),
        (("--samples", "0"), "--samples"),
        (("--starts", "-1"), "--starts"),
        (("--workers", "0"), "--workers"),
        (("--worker", "nowhere"), "--worker"),
        (("--prompts", "no-such-file"), "--prompts"),
    ],
)
def test_options_that_make_no_sense_are_refused_by_name(cluster, argus, tmp_path, arguments, named):
    out = tmp_path / "profile.json"
    status, _, error = argus("profile", "-f", cluster, "--out", out, *arguments)
    assert (status, error.split(":")[1].strip()) == (2, named)


def test_a_profile_of_another_ladder_cannot_be_added_to(cluster, profile, argus, tmp_path):
    status, _, error = argus(
        "profile", "-f", cluster, "--add", profile(), "--out", tmp_path / "x.json"
    )
    # The cluster lists its levels the other way round.
    assert status == 2
    assert "is of another ladder" in error
