"""Metrics keep their promises: scores on their scales, and what lacks is told with a way out."""

import importlib.util
from importlib.metadata import EntryPoint

import pytest
import torch
from PIL import Image
from transformers import CLIPModel, CLIPProcessor

import argus_metrics
from argus_core.errors import ArgusError, InvalidRequest, NotBuilt, NotFound, Unavailable
from argus_core.quality import Comparison
from argus_metrics import find_metric
from argus_metrics.http import MOST_BYTES, HttpMetric
from argus_metrics.lpips import LpipsMetric
from metrics_support import answering, opened, painted, save_clip

torch.set_num_threads(1)

CAPTION = "two small red circles"
OTHER = "a large blue square"
PICTURE = painted(CAPTION)
LIKE = {"comparison": "win", "scale": 2.5}


def one(metric, prompt=CAPTION, image=PICTURE, references=()):
    (score,) = metric.score([prompt], [image], references)
    return score


@pytest.fixture(scope="module")
def tiny_clip(tmp_path_factory):
    return save_clip(tmp_path_factory.mktemp("clip"))


def test_shapes_is_one_where_all_is_as_asked_at_any_size_and_else_none():
    metric = find_metric("shapes")
    assert one(metric) == one(metric, image=PICTURE.resize((192, 192))) == 1.0
    assert one(metric, prompt=OTHER) == 0.0


def test_shapes_share_counts_what_is_right():
    metric = find_metric("shapes-share")
    half = painted("a small red circle")
    # One right of two asked and one found: F1 of 2/3.
    assert one(metric, image=half) == pytest.approx(2 / 3)
    assert one(find_metric("shapes"), image=half) == 0.0


def test_an_unknown_metric_is_not_found_and_the_known_are_named():
    for name in ("beauty", "shapes:model", ""):
        with pytest.raises(NotFound, match="clip, hpsv3, lpips, pickscore, shapes, shapes-share"):
            find_metric(name)


def test_another_package_adds_a_metric_by_an_entry_point(monkeypatch):
    point = EntryPoint("mine", "argus_metrics.shapes:exact", argus_metrics.GROUP)
    monkeypatch.setattr(argus_metrics, "entry_points", lambda group: [point])
    assert one(find_metric("mine")) == 1.0


@pytest.mark.parametrize("name", ["clip", "pickscore"])
def test_scores_of_clips_kind_are_of_the_cosine_that_the_model_itself_tells(tiny_clip, name):
    metric = find_metric(f"{name}:{tiny_clip}")
    model = CLIPModel.from_pretrained(tiny_clip).eval()
    processor = CLIPProcessor.from_pretrained(tiny_clip)
    told = []
    for image in (PICTURE, painted(OTHER), Image.new("RGB", (90, 50), "navy")):
        inputs = processor(text=[CAPTION], images=[image], return_tensors="pt")
        with torch.inference_mode():
            logit = float(model(**inputs).logits_per_image)
            cosine = logit / float(model.logit_scale.exp())
        wanted = logit if name == "pickscore" else min(1.0, max(0.0, 2.5 * cosine))
        assert one(metric, image=image) == pytest.approx(wanted, abs=1e-4)
        told.append(wanted)
    assert len(set(told)) > 1
    assert metric.comparison is {"clip": Comparison.DIFFERENCE}.get(name, Comparison.WIN)


def test_long_prompts_are_cut(tiny_clip):
    metric = find_metric(f"pickscore:{tiny_clip}")
    assert one(metric, prompt="cat " * 200) == pytest.approx(one(metric, prompt="cat " * 300))


def test_several_are_scored_as_one_by_one(tiny_clip):
    metric = find_metric(f"pickscore:{tiny_clip}")
    prompts, images = [CAPTION, "a"], [PICTURE, painted(OTHER)]
    apart = [one(metric, prompt, image) for prompt, image in zip(prompts, images, strict=True)]
    assert metric.score(prompts, images, []) == pytest.approx(apart, abs=1e-4)


def test_a_missing_model_is_told_with_what_to_do(tmp_path):
    with pytest.raises(NotBuilt, match="name a directory"):
        one(find_metric(f"clip:{tmp_path / 'nothing'}"))


def test_pickled_weights_are_never_loaded(tmp_path):
    with pytest.raises(NotBuilt, match="safetensors"):
        one(find_metric(f"clip:{save_clip(tmp_path, safe=False)}"))


@pytest.mark.parametrize("name", ["hpsv3", "lpips"])
def test_a_missing_package_is_told_with_what_to_do(name):
    if importlib.util.find_spec(name):
        pytest.skip("the package is here")
    metric = find_metric(name)
    with pytest.raises(NotBuilt, match="pip install"):
        one(metric, references=[PICTURE])


def test_lpips_is_one_for_the_same_image_and_less_for_others():
    package = pytest.importorskip("lpips")
    torch.manual_seed(0)
    metric = LpipsMetric(
        device="cpu", load=lambda: package.LPIPS(net="alex", pnet_rand=True, verbose=False)
    )
    assert one(metric, references=[PICTURE]) == pytest.approx(1.0)
    assert one(metric, references=[painted(OTHER)]) < 0.999
    with pytest.raises(InvalidRequest, match="32 pixels"):
        one(metric, image=Image.new("RGB", (31, 40)), references=[Image.new("RGB", (31, 40))])


def test_a_service_is_asked_what_it_is_like_and_then_for_scores():
    def answer(asked):
        return 200, LIKE | {"scores": [opened(image).width for image in asked["images"]]}

    with answering(answer) as (url, asked):
        metric = find_metric(url)
        assert (metric.comparison, metric.scale) == (Comparison.WIN, 2.5)
        assert not metric.needs_reference
        assert metric.score([CAPTION] * 2, [PICTURE, PICTURE.resize((60, 50))], []) == [48, 60]
    assert asked[0] == {"prompts": [], "images": [], "references": []}
    assert asked[1]["prompts"] == [CAPTION] * 2
    assert opened(asked[1]["images"][0]).tobytes() == PICTURE.tobytes()


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, LIKE | {"scores": [1.0, 2.0]}, ArgusError),
        (200, LIKE | {"scores": [float("nan")]}, ArgusError),
        (200, {"scores": [1.0], "comparison": "best"}, ArgusError),
        (200, b"no json", ArgusError),
        (200, b" " * (MOST_BYTES + 1), ArgusError),
        (307, b"", Unavailable),
        (302, b"", Unavailable),
        (503, b"", Unavailable),
        (422, b"not my language", InvalidRequest),
    ],
)
def test_what_a_service_answers_is_checked(status, body, error):
    def answer(asked):
        return (status, body) if asked["images"] else (200, LIKE | {"scores": []})

    with answering(answer) as (url, asked):
        metric = find_metric(url)
        with pytest.raises(ArgusError) as raised:
            one(metric)
        assert type(raised.value) is error
        assert len(asked) == 2


def test_a_service_that_is_not_there_is_unavailable():
    with answering(lambda _asked: (200, b"")) as (url, _):
        pass
    with pytest.raises(Unavailable):
        HttpMetric(url)


@pytest.mark.parametrize("url", ["http://", "https:///score", "http://me:secret@host/score"])
def test_what_is_no_url_is_refused(url):
    with pytest.raises(InvalidRequest) as error:
        find_metric(url)
    assert [violation.field for violation in error.value.violations] == ["metric"]
