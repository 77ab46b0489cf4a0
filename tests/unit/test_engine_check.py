"""What the worker refuses before any work, and by which names."""

import pytest
import torch
from safetensors.torch import save

from argus_core.errors import InvalidRequest
from argus_protos.v1 import worker_pb2
from argus_worker import latents
from argus_worker.check import to_order
from engine_support import TINY, ask, hold, order


@pytest.fixture(scope="module")
def tiny():
    return hold(TINY)


def fields(error):
    return [violation.field for violation in error.value.violations]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": " \n"}, "prompt"),
        ({"prompt": "red " * 24}, "prompt"),
        ({"prompt": "é" * 4097}, "prompt"),
        ({"negative_prompt": "red " * 24}, "negative_prompt"),
        ({"negative_prompt": "x" * 8193}, "negative_prompt"),
        ({"size": {"width": 64, "height": 48}}, "size.width"),
        ({"size": {"width": 48, "height": 0}}, "size.height"),
        ({"steps": 0}, "schedule.steps"),
        ({"steps": 1001}, "schedule.steps"),
        ({"skipped": 4}, "schedule.skipped_steps"),
        ({"guidance": -0.5}, "schedule.guidance_scale"),
        ({"guidance": 50.5}, "schedule.guidance_scale"),
        ({"guidance": float("nan")}, "schedule.guidance_scale"),
        ({"guidance": float("inf")}, "schedule.guidance_scale"),
        ({"capture_steps": [0]}, "capture_steps[0]"),
        ({"capture_steps": [1, 4]}, "capture_steps[1]"),
        ({"capture_steps": [2, 1]}, "capture_steps"),
        ({"capture_steps": [1, 1]}, "capture_steps"),
        ({"format": 17}, "format"),
        ({"request_id": "x" * 257}, "request_id"),
        ({"skipped": 2}, "start"),
        ({"start": {"step": 2}}, "start"),
    ],
)
def test_what_is_beyond_the_variant_is_refused_by_name(tiny, wrong, field):
    with pytest.raises(InvalidRequest) as error:
        order(tiny, **wrong)
    assert fields(error) == [field]


def test_all_that_is_wrong_is_told_at_once(tiny):
    with pytest.raises(InvalidRequest) as error:
        order(tiny, prompt="", steps=0, guidance=99, size={"width": 1, "height": 1}, format=9)
    assert fields(error) == [
        "prompt",
        "size.width",
        "size.height",
        "schedule.steps",
        "schedule.guidance_scale",
        "format",
    ]


def test_the_longest_prompt_is_accepted(tiny):
    assert order(tiny, prompt="red " * 23).prompt.startswith("red")


def test_an_absent_size_is_the_native_one(tiny):
    wish = order(tiny)
    assert (wish.width, wish.height) == (48, 48)


def start(tiny, **changed):
    """A fitting start latent but for what is changed."""
    fitting = {
        "step": 2,
        "compatibility": order(tiny).compatibility,
        "data": latents.pack(torch.zeros(1, 3, 48, 48)),
    }
    return worker_pb2.Latent(**{**fitting, **changed})


def test_a_fitting_start_is_accepted(tiny):
    wish = to_order(ask(skipped=2, start=start(tiny)), tiny)
    assert wish.start is not None
    assert wish.start.shape == (1, 3, 48, 48)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"step": 1}, "has 1"),
        ({"compatibility": "variant=other"}, "variant=other"),
        ({"data": b""}, "not a safetensors file"),
        ({"data": b"\xff" * 64}, "not a safetensors file"),
        ({"data": latents.pack(torch.zeros(1, 3, 48, 48))[:-4]}, "not a safetensors file"),
        ({"data": save({"other": torch.zeros(1, 3, 48, 48)})}, "one tensor"),
        ({"data": latents.pack(torch.zeros(1, 3, 24, 24))}, "must be"),
        ({"data": latents.pack(torch.zeros(1, 3, 48, 48).half())}, "float16"),
        ({"data": latents.pack(torch.full((1, 3, 48, 48), float("nan")))}, "finite"),
    ],
)
def test_a_foreign_or_corrupt_start_is_refused(tiny, changed, problem):
    with pytest.raises(InvalidRequest, match=problem) as error:
        to_order(ask(skipped=2, start=start(tiny, **changed)), tiny)
    assert fields(error) == ["start"]


def test_a_start_by_key_is_refused_where_there_is_no_store(tiny):
    given = start(tiny)
    given.key = "abc"
    with pytest.raises(InvalidRequest, match="no latent store"):
        to_order(ask(skipped=2, start=given), tiny)


@pytest.mark.parametrize(
    "changed", [{"steps": 5}, {"guidance": 2.5}, {"size": {"width": 48, "height": 48}}, {"seed": 9}]
)
def test_latents_are_compatible_only_where_all_that_shapes_them_is_equal(tiny, changed):
    same = order(tiny, **changed).compatibility == order(tiny).compatibility
    assert same == (changed.keys() <= {"size", "seed"})


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_packed_latent_comes_back_to_the_bit(dtype):
    latent = torch.randn(1, 4, 6, 2, generator=torch.Generator().manual_seed(0)).to(dtype)
    back = latents.unpack(latents.pack(latent), shape=(1, 4, 6, 2), dtype=dtype)
    assert torch.equal(back, latent)
