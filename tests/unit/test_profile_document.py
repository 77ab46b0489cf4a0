import json

import pytest

from argus_core.errors import InvalidRequest
from argus_core.profile.document import dump_profile, parse_profile
from argus_core.profile.merging import merge
from profile_support import device, document, row


def changed(path, value):
    """The document with one field another; `...` takes it away."""
    found = json.loads(json.dumps(document()))
    *way, last = path
    at = found
    for step in way:
        at = at[step]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return found


def with_prompts(*rows):
    return parse_profile(document(quality={**document()["quality"], "prompts": list(rows)}))


def test_what_is_dumped_is_read_back_the_same():
    profile = parse_profile(document())
    assert parse_profile(json.loads(json.dumps(dump_profile(profile)))) == profile
    assert dump_profile(profile)["starts"][0]["from"] == "b"


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (["kind"], ..., "kind"),
        (["version"], 2, "version"),
        (["colour"], 1, "colour"),
        (["ladder", 0, "steps"], 0, "ladder[0].steps"),
        (["ladder", 2, "name"], "dear", "ladder: names must be unique"),
        (["devices", "cpu", "timings", "dear", "48 by 48"], {}, "timings.dear.48 by 48"),
        (["devices", "cpu", "timings", "other"], {}, "devices.cpu.timings: the ladder has no"),
        (["devices", "cpu", "timings", "dear", "48x48", "1", "seconds"], 0, "seconds"),
        (["quality", "best"], "begun", "quality.best"),
        (["quality", "prompts", 0, "scores", "cheap"], ..., "quality.prompts[0].scores"),
        (["quality", "prompts", 0, "scores", "cheap"], [1], "scores: as many at every level"),
        (["quality", "prompts", 0, "scores", "cheap"], [1, "x"], "prompts[0].scores.cheap[1]"),
        (["quality", "prompts", 0, "scores", "cheap"], [1, float("nan")], "scores.cheap[1]"),
        (["quality", "prompts", 0, "seeds"], [1], "seeds: must be 2"),
        (["quality", "prompts", 1, "prompt"], "a", "quality.prompts: must be unique"),
        (["starts", 0, "level"], "dear", "starts[0].level"),
        (["starts", 0, "similarity"], 2, "starts[0].similarity"),
        (["starts", 0, "from"], ..., "starts[0].from"),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, list) else None,
)  # fmt: skip
def test_what_is_wrong_is_refused_by_name(path, value, named):
    with pytest.raises(InvalidRequest) as caught:
        parse_profile(changed(path, value))
    assert named in str(caught.value)


def test_merged_machines_bring_their_devices():
    one = parse_profile(document())
    other = parse_profile(document(devices={"h100": device("NVIDIA H100", 0.01)}))
    merged = merge(one, other)
    assert list(merged.devices) == ["cpu", "h100"]
    assert merged.devices["h100"].timings["dear"]["48x48"][1].seconds == 0.01


def test_merged_times_weigh_by_samples_and_spread_by_what_lies_between():
    one = parse_profile(document(devices={"cpu": device(seconds=0.1, samples=3)}))
    other = parse_profile(document(devices={"cpu": device(seconds=0.3, samples=1)}))
    found = merge(one, other).devices["cpu"].timings["dear"]["48x48"][1]
    assert (found.seconds, found.samples) == (pytest.approx(0.15), 4)
    assert found.deviation == pytest.approx((0.75 * 0.25 * 0.04) ** 0.5)


def test_merged_prompts_are_united_and_seeds_join():
    one = with_prompts(row("a", [0], [1], [0]), row("b", [0], [1], [1]))
    other = with_prompts(row("c", [0], [1], [1]), row("a", [1, 2], [0, 1], [1, 1]))
    prompts = {found.prompt: found for found in merge(one, other).quality.prompts}
    assert list(prompts) == ["a", "b", "c"]
    assert prompts["a"].seeds == (0, 1, 2)
    assert prompts["a"].scores == {"dear": (1, 0, 1), "cheap": (0, 1, 1)}


def test_a_seed_that_both_have_drawn_counts_once():
    profile = parse_profile(document())
    merged = merge(profile, profile)
    assert (merged.quality, merged.starts) == (profile.quality, profile.starts)


def test_scores_of_unknown_seeds_all_count():
    one = with_prompts(row("a", [], [1], [0]))
    assert merge(one, one).quality.prompts[0].scores["dear"] == (1, 1)


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (["ladder", 1, "skippedSteps"], 5, "ladder[begun]"),
        (["quality", "metric"], "clip", "quality.metric"),
        (["quality", "scale"], 2.0, "quality.scale"),
        (["devices", "cpu", "device"], "another", "devices.cpu.device"),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, list) else None,
)
def test_profiles_that_do_not_belong_together_are_refused_by_what_differs(path, value, named):
    with pytest.raises(InvalidRequest) as caught:
        merge(parse_profile(document()), parse_profile(changed(path, value)))
    assert named in str(caught.value)
