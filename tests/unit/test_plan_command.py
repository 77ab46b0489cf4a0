"""`argus plan` as it is typed, on a document of one `large` (4 s, quality 1) and one `small`."""

import json
from functools import partial

import pytest

DOCUMENT = """
apiVersion: argus.dev/v1alpha1
kind: ArgusCluster
metadata: {name: test}
spec:
  slo: {deadlineSeconds: 60, target: 0.95}
  pools:
    - {name: main, workers: 2, gpuType: h100}
    - {name: spare, workers: 1, gpuType: a10}
  variants:
    - {name: large, model: "builtin:large", family: shapes}
    - {name: small, model: "builtin:small", family: shapes}
  ladder:
    - {name: large-20, variant: large, steps: 20, quality: 1.0, seconds: {h100: 4, a10: 20}}
    - {name: small-4, variant: small, steps: 4, quality: 0.8, seconds: {h100: 1, a10: 5}}
"""


@pytest.fixture
def plan(argus, tmp_path):
    path = tmp_path / "cluster.yaml"
    path.write_text(DOCUMENT)
    return partial(argus, "plan", "-f", path)


def test_the_answer_is_a_table_and_a_sentence(plan):
    status, said, _ = plan("--rate", "5", "--quality", "0.9")
    assert status == 0
    assert "5 images a second within 60 s, on pool main" in said
    assert "GPUs of main, holding" in said
    assert "One GPU fewer: quality 0.8" in said
    assert "All prompts count as the ladder's mean prompt" in said


def test_json_says_the_same_with_the_document_s_deadline_and_target(plan):
    status, said, _ = plan("--rate", "5", "--quality", "0.9", "--workers", "40", "--json")
    told = json.loads(said)
    assert status == 0
    assert (told["deadline"], told["target"], told["pool"]) == (60, 0.95, "main")
    by_size = {size["workers"]: size for size in told["sizes"]}
    assert {39, 40, 41} <= by_size.keys()
    smallest = by_size[told["smallest"]]
    assert smallest["reaches"]
    assert not by_size[told["smallest"] - 1]["reaches"]
    held = [h["workers"] for h in smallest["holding"] if h["pool"] == "main"]
    assert sum(held) == told["smallest"]


def test_options_go_before_the_document(plan):
    _, said, _ = plan("--rate", "5", "--slo", "1m30s", "--target", "0.9", "--json")
    assert [json.loads(said)[key] for key in ("deadline", "target")] == [90, 0.9]


def test_the_pool_named_is_sized_and_the_others_keep_their_size(plan):
    _, said, _ = plan("--rate", "1", "--pool", "spare", "--quality", "0.7", "--json")
    told = json.loads(said)
    assert told["pool"] == "spare"
    held = [h for h in told["sizes"][0]["holding"] if h["pool"] == "main"]
    assert sum(h["workers"] for h in held) == 2


def test_measured_qualities_stand_in_for_the_ladder_s_means(plan, tmp_path):
    path = tmp_path / "q.csv"
    path.write_text("large-20,small-4\n1,1\n1,0.6\n")
    asked = "--rate", "5", "--quality", "0.95"
    _, mean, _ = plan(*asked, "--json")
    _, said, _ = plan(*asked, "--qualities", str(path), "--json")
    assert json.loads(said)["smallest"] < json.loads(mean)["smallest"]
    _, words, _ = plan(*asked, "--qualities", str(path))
    assert "mean prompt" not in words


def test_burstier_arrivals_need_more(plan):
    asked = "--rate", "5", "--quality", "1", "--slo", "8s", "--json"
    even, bursty = (json.loads(plan(*asked, "--burstiness", b)[1])["smallest"] for b in "19")
    assert bursty > even


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--slo", "3s", "--quality", "0.9"], "reach a mean quality of 0.800, and 0.9 is asked"),
        (["--slo", "500ms"], "no level is as quick as the deadline"),
        (["--rate", "1e7"], "No number of GPUs that a pool may have"),
    ],
)
def test_what_no_number_of_gpus_can_do_is_said_and_ends_with_status_1(plan, arguments, words):
    status, said, _ = plan("--rate", "5", *arguments)
    assert status == 1
    assert words in " ".join(said.split())


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--rate", "0"), ("--rate", "1e12"), ("--rate", "nan"), ("--quality", "2"),
        ("--slo", "soon"), ("--slo", "90000000d"), ("--target", "1"),
        ("--target", "0.9999999999999"),
        ("--burstiness", "0"), ("--burstiness", "1e9"), ("--workers", "0"), ("--workers", "10001"),
        ("--pool", "none"), ("--qualities", "/nowhere/q.csv"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_named_and_is_usage(plan, option, value):
    status, _, said = plan("--rate", "5", option, value)
    assert status == 2
    assert said.startswith(f"error: {option}:")
