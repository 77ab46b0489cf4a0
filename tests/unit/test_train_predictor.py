import hashlib
import json
import sys

import numpy as np
import pytest

from argus_cli import main
from argus_core.errors import InvalidRequest
from argus_core.profile.document import parse_profile
from argus_predictor import heads
from argus_predictor.training import (
    Label,
    better,
    compared,
    held_out,
    kept_apart,
    samples_of,
    train,
)
from argus_predictor.training.command import read_labels, run
from argus_predictor.training.network import Recipe
from argus_predictor.training.starts import Started, fit_starts

RECIPE = Recipe(members=2, width=16, epochs=40, batch=16)
WORDS = ("red", "blue", "green", "circle", "square", "two", "three", "small", "large", "left")
LEVELS = (("big", "a", 8), ("big-short", "a", 4), ("small", "b", 4))


def embed(texts):
    """By the words: those alike in words are near."""
    rows = []
    for text in texts:
        row = np.full(16, 0.1)
        for word in text.split():
            row[hashlib.sha256(word.encode()).digest()[0] % 16] += 1
        rows.append(row / np.linalg.norm(row))
    return np.array(rows, np.float32).reshape(-1, 16)


def document(prompts=160, seeds=6, hardness=0.25, seed=0):
    """Long prompts are hard for the small model, and the large one can all."""
    rng = np.random.default_rng(seed)
    rows = {}
    while len(rows) < prompts:
        words = rng.choice(WORDS, rng.integers(1, 5), replace=False)
        chance = max(0.0, 1 - hardness * (len(words) - 1))
        small = (rng.random(seeds) < chance).astype(float).tolist()
        rows[" ".join(words)] = {"big": [1.0] * seeds, "big-short": [1.0] * seeds, "small": small}
    timing = {"seconds": 0.1, "deviation": 0, "samples": 1}
    timings = {
        name: {"48x48": {"1": {**timing, "seconds": second}}}
        for (name, _, _), second in zip(LEVELS, (0.4, 0.2, 0.1), strict=True)
    }
    return {
        "kind": "ArgusProfile",
        "version": 1,
        "ladder": [{"name": n, "variant": v, "steps": s} for n, v, s in LEVELS],
        "devices": {"cpu": {"device": "cpu", "timings": timings}},
        "quality": {
            "metric": "shapes",
            "comparison": "difference",
            "best": "big",
            "prompts": [{"prompt": p, "scores": scores} for p, scores in rows.items()],
        },
    }


@pytest.fixture(scope="module")
def profile():
    return parse_profile(document())


@pytest.fixture(scope="module")
def trained(profile):
    return train(profile, embed=embed, encoder="words", recipe=RECIPE)


def test_head_knows_hard_prompts_from_easy_ones(trained):
    easy, hard = ["red"], ["red blue two large"]
    found = [trained.head.predict(prompt, embed(prompt)).mean[0] for prompt in (easy, hard)]
    assert found[0][2] > found[1][2] + 0.3
    assert found[1][1] > 0.9
    assert trained.head.encoder == "words"


def test_no_training_learns_from_prompts_kept_apart(trained, profile):
    apart = {row.prompt for row in profile.quality.prompts if kept_apart(row.prompt)}
    assert 5 < len(apart) < 40
    assert set(trained.held_out.prompts) == apart
    assert not apart & set(trained.unseen.samples.prompts)
    assert len(trained.head.scorer.anchors) == len(profile.quality.prompts) - len(apart)


def test_same_profile_gives_the_same_head(trained, profile):
    again = train(profile, embed=embed, encoder="words", recipe=RECIPE)
    assert again.head.version == trained.head.version


def test_deviation_is_wider_where_training_saw_nothing_alike(trained):
    known = trained.head.predict(trained.held_out.prompts, trained.held_out.embeddings)
    far = -np.ones((1, 16), np.float32) / 4
    strange = trained.head.predict(["zebra"], far)
    assert strange.deviation[0, 2] > 1.3 * known.deviation[:, 2].mean()


def test_worse_head_is_not_better_and_neither_is_the_same(trained):
    other = parse_profile(document(hardness=0.0, seed=1))
    wrong = train(other, embed=embed, encoder="words", recipe=RECIPE).head
    apart = trained.held_out
    # So that there are enough to tell.
    many = apart.taken(np.arange(40) % len(apart))
    assert better(trained.head, wrong, many)
    assert not better(wrong, trained.head, many)
    assert not better(trained.head, trained.head, many)


def test_head_for_other_levels_gives_way(trained, profile):
    cut = document()
    cut["ladder"] = cut["ladder"][1:]
    cut["quality"]["best"] = "big-short"
    for row in cut["quality"]["prompts"]:
        del row["scores"]["big"]
    del cut["devices"]["cpu"]["timings"]["big"]
    other = train(parse_profile(cut), embed=embed, encoder="words", recipe=RECIPE).head
    assert compared(trained.head, other, trained.held_out).reason.endswith("for other levels")
    assert better(trained.head, other, trained.held_out)


def test_labels_of_served_images_move_the_head(profile):
    prompts = [row.prompt for row in profile.quality.prompts if not kept_apart(row.prompt)]
    labels = [Label(prompt=p, level="small", quality=0.0) for p in prompts for _ in range(6)]
    told = train(profile, labels, embed=embed, encoder="words", recipe=RECIPE).head
    before = train(profile, embed=embed, encoder="words", recipe=RECIPE).head
    vectors = embed(prompts)
    means = [head.predict(prompts, vectors).mean[:, 2].mean() for head in (told, before)]
    assert means[0] < means[1] - 0.1


def test_too_few_prompts_are_refused():
    with pytest.raises(InvalidRequest, match="are needed to train on"):
        train(parse_profile(document(prompts=20)), embed=embed, recipe=RECIPE)


def test_starts_are_fitted_where_enough_were_measured():
    rng = np.random.default_rng(0)
    similarity = rng.uniform(0.5, 1, 300)
    share = rng.choice([0.25, 0.5, 0.75], 300)
    quality = 1 - 0.5 * share * (1 - np.exp(-(1 - similarity) / 0.02))
    starts = [
        Started(full=1.0, quality=float(q), similarity=float(s), skipped_share=float(k))
        for q, s, k in zip(quality, similarity, share, strict=True)
    ]
    model = fit_starts(starts)
    assert model.started(1.0, 0.0, 0.7, 0.5)[0] == pytest.approx(0.75, abs=0.02)
    assert model.started(1.0, 0.0, 1.0, 0.5)[0] == pytest.approx(1.0)
    assert fit_starts(starts[:10]).started(1.0, 0.0, 0.7, 0.5)[0] < 0.3


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_command_writes_head_and_report_and_refuses_what_is_no_better(
    monkeypatch, capsys, tmp_path
):
    file, out = tmp_path / "profile.json", tmp_path / "head"
    file.write_text(json.dumps(document(prompts=260)))
    monkeypatch.setattr(sys, "argv", ["argus", "train-predictor", str(file), "--out", str(out)])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code in (0, None)
    head = heads.load(out)
    assert head.levels == ("big", "big-short", "small")
    assert "nearest neighbours" in (out / "report.md").read_text()
    assert (out / "report.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 3
    assert "Nothing was written" in capsys.readouterr().out
    assert heads.load(out).version == head.version


@pytest.mark.parametrize("text", ["{}", "[]", "nonsense", '{"kind": "ArgusProfile"}', "\x00"])
def test_what_is_no_profile_is_refused(tmp_path, text):
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(InvalidRequest):
        run(tmp_path / "p.json", tmp_path / "head")
    with pytest.raises(InvalidRequest, match="cannot read"):
        run(tmp_path / "nowhere.json", tmp_path / "head")


@pytest.mark.parametrize(
    "line", ["{}", "[]", "x", '{"prompt": 1, "level": "a", "quality": 1}',
             '{"prompt": "p", "level": "a", "quality": "high"}',
             '{"prompt": "p", "level": "a", "quality": 1, "similarity": 7}']
)  # fmt: skip
def test_wrong_label_is_named_by_its_line(tmp_path, line):
    good = '{"prompt": "p", "level": "a", "quality": 0.5, "metric": "shapes", "version": "x"}'
    (tmp_path / "labels").write_text(f"{good}\n\n{line}\n")
    with pytest.raises(InvalidRequest, match=":3"):
        read_labels(tmp_path / "labels")
    (tmp_path / "labels").write_text(f"{good}\n")
    assert read_labels(tmp_path / "labels")[0].quality == 0.5


def test_qualities_of_a_profile_keep_their_noise_and_what_is_above_the_best(profile):
    samples = samples_of(profile, embed)
    scores = profile.quality.prompts[0].scores
    expected = 1 - (np.mean(scores["big"]) - np.mean(scores["small"]))
    assert samples.qualities[0, 2] == pytest.approx(expected)
    assert samples.noise[0, 2] == pytest.approx(np.var(scores["small"], ddof=1) / 6, abs=1e-6)
    assert len(held_out(samples)) < len(samples) / 4
