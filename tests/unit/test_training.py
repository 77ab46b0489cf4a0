"""The training loop on a model small enough for a test."""

import dataclasses
import json

import pytest
import torch

from argus_shapes import report
from argus_shapes.evaluation import interval, load, measure, unseen
from argus_shapes.recipe import Recipe
from argus_shapes.training import train

RECIPE = Recipe(name="speck", width=32, layers=1, text_layers=1, images=256, batch=16, warm_up=2)


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


class Stop(Exception):
    pass


class StoppingClock:
    """Ticks 200 s a call, so that every step saves, and stops the run at a given call."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def __call__(self) -> float:
        self.left -= 1
        if self.left < 0:
            raise Stop
        return -200.0 * self.left


def weights(pipeline):
    return torch.cat([p.flatten() for p in pipeline.transformer.parameters()])


def run(tmp_path, name, **options):
    return train(
        RECIPE,
        tmp_path / name,
        tmp_path / f"{name}-scratch",
        device="cpu",
        compiled=False,
        **options,
    )


def test_a_stopped_run_goes_on_as_if_it_had_not_been(tmp_path):
    whole = run(tmp_path, "whole")
    with pytest.raises(Stop):
        run(tmp_path, "broken", clock=StoppingClock(12))
    seen = torch.load(tmp_path / "broken-scratch" / "checkpoint.pt", weights_only=True)["steps"]
    assert 0 < seen < RECIPE.images // RECIPE.batch
    resumed = run(tmp_path, "broken")
    assert torch.equal(weights(whole), weights(resumed))


def test_training_lowers_the_loss_and_keeps_its_log_beside_the_weights(tmp_path):
    recipe = dataclasses.replace(RECIPE, images=16 * 200)
    train(recipe, tmp_path / "out", tmp_path / "scratch", device="cpu", compiled=False)
    lines = [
        json.loads(line) for line in (tmp_path / "out/training.jsonl").read_text().splitlines()
    ]
    losses = [line["loss"] for line in lines if "loss" in line]
    assert losses[-1] < losses[0]


def test_saved_weights_load_and_are_measured(tmp_path):
    run(tmp_path, "out")
    drawn = []
    rows = list(
        measure(
            load(tmp_path / "out"), "speck", steps=2, captions=3, seeds=2, on_drawn=drawn.append
        )
    )
    assert sum(drawn) == 3 * 2 * 5
    assert all(0 <= row.low <= row.exact <= row.high <= 1 for row in rows)


def test_evaluation_captions_are_the_same_every_time_and_differ():
    first = [scene.caption for scene in unseen("three groups", 50)]
    assert first == [scene.caption for scene in unseen("three groups", 50)]
    assert len(set(first)) == 50


def test_the_interval_narrows_with_more_captions():
    few, many = torch.tensor([0.0, 1.0] * 5).numpy(), torch.tensor([0.0, 1.0] * 100).numpy()
    assert interval(many)[1] - interval(many)[0] < interval(few)[1] - interval(few)[0]
    assert interval(many)[0] < 0.5 < interval(many)[1]


def test_the_table_replaces_only_what_stands_between_its_marks(tmp_path):
    page = tmp_path / "README.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    report.write_into(page, [("v",) * len(report.HEADINGS)])
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    page.write_text("no marks")
    with pytest.raises(ValueError, match="needs a line"):
        report.write_into(page, [])


def test_captions_of_an_exhausted_difficulty_come_again():
    captions = [scene.caption for scene in unseen("single", 100)]
    assert len(captions) == 100
    assert len(set(captions)) == 54
