import json
import math
from dataclasses import replace

import numpy as np
import pytest

from argus_core.errors import InvalidRequest
from argus_predictor import heads
from argus_predictor.features import COUNTS, Vocabulary
from argus_predictor.heads import Head
from argus_predictor.heads.ordering import ordered
from argus_predictor.heads.scorer import Scorer
from argus_predictor.heads.spread import Spread
from argus_predictor.heads.started import StartModel

LEVELS = ("best", "half", "cheap")
DIMENSIONS = 6
PROMPTS = ["a red circle", "two red circles, and a blue square", "no word of these"]


def unit(rng, count):
    vectors = rng.normal(size=(count, DIMENSIONS))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def head():
    rng = np.random.default_rng(1)
    vocabulary = Vocabulary.learnt(PROMPTS * 4)
    shape = Scorer.shape(
        len(vocabulary) + DIMENSIONS, len(LEVELS), members=3, width=5, anchors=9,
        dimensions=DIMENSIONS,
    )  # fmt: skip
    arrays = {name: rng.normal(size=size).astype(np.float32) for name, size in shape.items()}
    arrays |= {
        "anchors": unit(rng, 9),
        "reach": np.array([0.1, 0.6], np.float32),
        "average": np.array([0.9, 0.8, 0.3], np.float32),
    }
    spread = {name: np.full(size, 0.05, np.float32) for name, size in Spread.shape(3).items()}
    return Head(
        version="", levels=LEVELS, encoder="some", dimensions=DIMENSIONS, vocabulary=vocabulary,
        scorer=Scorer(**arrays), best=0, chains=((0, 1),), spread=Spread(**spread),
        start_model=StartModel(),
    )  # fmt: skip


def test_what_is_saved_predicts_the_same_when_loaded(head, tmp_path):
    kept = heads.save(head, tmp_path)
    loaded = heads.load(tmp_path)
    embeddings = unit(np.random.default_rng(0), len(PROMPTS))
    ours, theirs = (x.predict(PROMPTS, embeddings) for x in (head, loaded))
    np.testing.assert_array_equal(ours.mean, theirs.mean)
    np.testing.assert_array_equal(ours.deviation, theirs.deviation)
    assert loaded.version == kept.version
    assert (loaded.levels, loaded.encoder, loaded.chains) == (LEVELS, "some", ((0, 1),))


def test_version_tells_content_and_nothing_else(head, tmp_path):
    other = replace(head, start_model=StartModel(loss=0.5))
    versions = [heads.save(x, tmp_path / str(n)).version for n, x in enumerate((head, head, other))]
    assert versions[0] == versions[1] != versions[2]


@pytest.mark.parametrize("name", ["head.json", "head.safetensors"])
def test_no_changed_byte_and_no_shorter_file_is_loaded(head, tmp_path, name):
    heads.save(head, tmp_path)
    whole = (tmp_path / name).read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(whole), 200):
        broken = bytearray(whole)
        broken[place] ^= 1 << rng.integers(8)
        (tmp_path / name).write_bytes(broken)
        try:
            loaded = heads.load(tmp_path)
        except InvalidRequest:
            continue
        # White space of JSON says nothing.
        assert json.loads(broken) == json.loads(whole)
        assert loaded.levels == LEVELS
    for length in (0, 1, len(whole) // 2, len(whole) - 2):
        (tmp_path / name).write_bytes(whole[:length])
        with pytest.raises(InvalidRequest, match="no head that can be used"):
            heads.load(tmp_path)


@pytest.mark.parametrize(
    "body", ["[]", "{}", '{"format": 2}', '{"format": 1, "digest": 3}', "\x00"]
)
def test_foreign_folder_is_refused_in_one_error(tmp_path, body):
    (tmp_path / "head.json").write_text(body)
    (tmp_path / "head.safetensors").write_bytes(b"?")
    with pytest.raises(InvalidRequest, match="head: "):
        heads.load(tmp_path)


def test_missing_folder_is_refused(tmp_path):
    with pytest.raises(InvalidRequest, match="needs head.json"):
        heads.load(tmp_path / "nowhere")


def test_every_prompt_gets_qualities_between_0_and_1(head):
    prompts = [
        "",
        " ",
        "a" * 100_000,
        "🦊" * 50,
        "\u202e\u05e2\u05d1\u05e8\u05d9\u05ea",
        "\x00\x1b[2J",
        ", " * 4000,
    ]
    embeddings = unit(np.random.default_rng(2), len(prompts))
    found = head.predict(prompts, embeddings)
    for values in (found.mean, found.deviation):
        assert values.shape == (len(prompts), len(LEVELS))
        assert values.dtype == np.float32
        assert ((values >= 0) & (values <= 1)).all()


def test_no_prompts_get_no_rows(head):
    assert head.predict([], np.zeros((0, DIMENSIONS), np.float32)).mean.shape == (0, 3)


def test_prompt_is_predicted_the_same_alone_and_among_others(head):
    embeddings = unit(np.random.default_rng(3), len(PROMPTS))
    together = head.predict(PROMPTS, embeddings).mean
    alone = [head.predict([p], e[None]).mean[0] for p, e in zip(PROMPTS, embeddings, strict=True)]
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_best_level_is_1_without_doubt_and_no_level_of_a_chain_is_below_the_next(head):
    prompts = PROMPTS * 40
    found = head.predict(prompts, unit(np.random.default_rng(4), len(prompts)))
    assert (found.mean[:, 0] == 1).all()
    assert (found.deviation[:, 0] == 0).all()
    direct = replace(head, best=None, chains=((2, 1, 0),))
    mean = direct.predict(prompts, unit(np.random.default_rng(4), len(prompts))).mean
    assert (mean[:, 2] >= mean[:, 1] - 1e-6).all()
    assert (mean[:, 1] >= mean[:, 0] - 1e-6).all()


def test_order_is_mended_by_the_least_change():
    found = ordered(np.array([[0.2, 0.6, 0.5], [0.9, 0.5, 0.1], [0.1, 0.2, 0.3]]), [(0, 1, 2)])
    np.testing.assert_allclose(found, [[13 / 30] * 3, [0.9, 0.5, 0.1], [0.2] * 3])


def test_prompt_unlike_all_of_training_gets_the_average_and_a_wide_deviation(head):
    near = head.scorer.anchors[:1]
    far = np.linalg.svd(head.scorer.anchors[:5])[2][-1:].astype(np.float32)
    far = min((far, -far), key=lambda v: (head.scorer.anchors @ v[0]).max())
    reach = np.array([0.0, 0.05], np.float32)
    head = replace(head, scorer=replace(head.scorer, reach=reach))
    known, strange = (head.predict(["a red circle"], e) for e in (near, far))
    assert head.scorer.strangeness(near)[0] == pytest.approx(0, abs=1e-4)
    assert head.scorer.strangeness(far)[0] == 1
    np.testing.assert_allclose(strange.mean[0, 1:], [0.9, 0.4], atol=1e-6)
    assert (strange.deviation[0, 1:] > math.sqrt(0.05)).all()


def test_embeddings_of_another_encoder_are_refused(head):
    with pytest.raises(InvalidRequest, match="embeddings"):
        head.predict(["a"], np.zeros((1, DIMENSIONS + 1), np.float32))


@pytest.mark.parametrize("model", [StartModel(), StartModel(loss=0.6, power=1.0, scale=0.05)])
def test_start_is_worth_less_the_less_alike_and_the_more_is_skipped(model):
    def quality(similarity, share):
        return model.started(0.9, 0.05, similarity, share)[0]

    assert quality(1.0, 0.5) == pytest.approx(0.9)
    by_similarity = [quality(s, 0.5) for s in (1.0, 0.99, 0.95, 0.8, 0.3, -1.0)]
    by_share = [quality(0.95, share) for share in (0.1, 0.3, 0.6, 0.9)]
    for values in (by_similarity, by_share):
        assert values == sorted(values, reverse=True)
        assert all(0 <= value <= 0.9 for value in values)


def test_unless_measured_a_start_from_a_somewhat_unlike_prompt_is_worth_little(head):
    mean, deviation = head.started(
        "any", full=1.0, deviation=0.0, similarity=0.95, skipped_share=0.5
    )
    assert mean < 0.5
    assert deviation > 0.2


def test_vocabulary_learns_common_words_and_counts_the_unknown():
    vocabulary = Vocabulary.learnt(["a red circle"] * 4 + ["a blue square"] * 3)
    assert vocabulary.words == ("a", "circle", "red")
    row = vocabulary.features(["A RED, red moon 2"])[0]
    named = dict(zip((*COUNTS, *vocabulary.words), row, strict=True))
    assert named["red"] == 2
    assert named["commas"] == named["numbers"] == 1
    assert named["unknown"] == pytest.approx(3 / 6)
