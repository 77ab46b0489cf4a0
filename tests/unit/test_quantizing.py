"""Weights of eight bits: near, smaller, made from a model that stays as it was."""

import pytest
import torch

from argus_core.spec import Variant
from argus_core.spec_engine import Lora
from argus_worker import batch
from argus_worker.blocks import blocks
from argus_worker.masters import Masters
from argus_worker.quantizing import Int8Linear
from argus_worker.residency import pointer, size
from argus_worker.sample import Sample
from argus_worker.tuning import Tuner
from engine_support import TINY, order
from families_support import CASES, DISTINCT
from loras_support import write_lora

CPU = torch.device("cpu")
TOLERANCE = 0.03
"""Of the latent's range, in the mean; a weight is off by 1 in 254 of its row's largest at most."""
SMALL = TINY.model_copy(update={"name": "small", "quantization": "int8"})


def masters(*variants):
    return Masters({v.name: v for v in variants}, device=CPU, limit_bytes=2**40)


def drawn(held, **fields):
    with torch.inference_mode():
        one = Sample(order(held, **fields), device=CPU)
        while not one.finished:
            one.advance(batch.predict([one])[0])
    return one.latent


def near(one, other):
    return (one - other).abs().mean() <= TOLERANCE * (other.max() - other.min())


def test_it_is_told_of_a_variant_that_has_them():
    tuner = Tuner({"tiny": TINY, "small": SMALL}, device=CPU)
    known = masters(TINY, SMALL)
    tuned = tuner.ready([known.fetch(name)[0] for name in ("tiny", "small")]).tuned
    assert {name: one.quantization for name, one in tuned.items()} == {"tiny": "", "small": "int8"}


def test_a_layer_is_off_by_half_a_scale_at_most():
    torch.manual_seed(0)
    linear = torch.nn.Linear(32, 16)
    with torch.no_grad():
        linear.weight[3] = 0
    eight = Int8Linear(linear)
    off = (eight.codes * eight.scales - linear.weight).abs()
    assert (off <= eight.scales / 2 + 1e-7).all()
    assert (off[3] == 0).all(), "zeros stay"
    assert torch.equal(eight.bias, linear.bias)


def test_a_trained_model_draws_nearly_the_same_from_fewer_bytes():
    known = masters(TINY, SMALL)
    plain, small = (known.fetch(name)[0] for name in ("tiny", "small"))
    one, other = (drawn(held, steps=8, guidance=2.0) for held in (plain, small))
    assert not torch.equal(one, other)
    assert (other - one).abs().mean() <= 0.002 * (one.max() - one.min())
    in_blocks = size(p for block in blocks(plain.family.denoiser) for p in block.parameters())
    saved = size(plain.residency.masters) - size(small.residency.masters)
    assert saved > 0.7 * in_blocks, "of float32, three quarters"
    assert small.latent_space != plain.latent_space
    assert torch.equal(drawn(plain, steps=8, guidance=2.0), one), "the other stays as it was"


def test_what_is_not_quantised_is_shared_with_the_model():
    known = masters(TINY, SMALL)
    plain, small = (known.fetch(name)[0] for name in ("tiny", "small"))
    assert known.fetch("small")[1] == 0, "read from disk once"
    own = {pointer(m) for m in small.residency.masters}
    shared = own & {pointer(m) for m in plain.residency.masters}
    assert len(own - shared) == 2 * sum(
        isinstance(module, Int8Linear) for module in small.family.denoiser.modules()
    )
    assert small.encoder == plain.encoder


@pytest.mark.parametrize("case", DISTINCT, ids=lambda case: case.id)
def test_every_family_can_be_drawn_with_in_eight_bits(case, tmp_path):
    folder = tmp_path / "model"
    case.build().save_pretrained(folder)
    plain = Variant(name="plain", model=str(folder), family=case.family)
    known = masters(plain, plain.model_copy(update={"name": "small", "quantization": "int8"}))
    held, small = (known.fetch(name)[0] for name in ("plain", "small"))
    wish = {
        "steps": 1,
        "guidance": case.guidance,
        "size": {"width": case.side, "height": case.side},
    }
    one, other = drawn(held, **wish), drawn(small, **wish)
    assert near(other, one)
    if blocks(held.family.denoiser):
        assert not torch.equal(one, other)


def test_copies_on_a_device_are_drawn_with_as_masters_are():
    (held, _) = masters(SMALL).fetch("small")
    before = drawn(held)
    held.residency.point_to({pointer(m): m.clone() for m in held.residency.masters})
    assert torch.equal(drawn(held), before)
    held.residency.put_out()
    assert torch.equal(drawn(held), before)


def test_a_lora_is_added_before_anything_is_rounded(tmp_path):
    case = next(case for case in CASES if case.family == "sdxl")
    case.build().save_pretrained(tmp_path / "model")
    lora = Lora(model=str(write_lora(case, tmp_path / "a.safetensors", 0)))
    wide = Variant(name="wide", model=str(tmp_path / "model"), family="sdxl", loras=[lora])
    known = masters(wide, wide.model_copy(update={"name": "small", "quantization": "int8"}))
    one, other = (drawn(known.fetch(name)[0], steps=2) for name in ("wide", "small"))
    assert near(other, one)
