"""Kernels of attention: timed, held to torch's own, and never more than a preference."""

import pytest
import torch
from torch.nn.attention import _cur_sdpa_kernel_backends
from torch.nn.functional import scaled_dot_product_attention

from argus_core.spec import Variant
from argus_worker import attention, batch
from argus_worker.sample import Sample
from argus_worker.tuning import Tuner
from engine_support import hold, order
from families_support import CASES

CPU = torch.device("cpu")
QUERY = torch.randn(1, 2, 16, 8, generator=torch.Generator().manual_seed(0))
FAMILIES = ("sdxl", "flux", "pixart")
"""Attention of the UNet's own, by diffusers' dispatcher, and under a mask."""


def attend():
    return scaled_dot_product_attention(QUERY, QUERY, QUERY)


class Timed:
    """A forward whose time, on a clock of its own, depends on the kernel that is forced."""

    def __init__(self, **seconds):
        self.now, self.seconds = 0.0, seconds

    def __call__(self):
        self.now += self.seconds.get(self.kernel(), 1.0)
        return attend()

    def kernel(self):
        on = _cur_sdpa_kernel_backends()
        names = [name for name, kernel in attention.KERNELS.items() if kernel in on]
        return names[0] if len(names) == 1 else attention.TORCH

    def chosen(self):
        return attention.quickest(self, clock=lambda: self.now, settle=lambda: None)


def test_the_quickest_is_taken():
    chosen, seconds = Timed(torch=1.0, flash=0.5, math=0.8).chosen()
    assert chosen == "flash"
    expected = {"torch": 1.0, "flash": 0.5, "math": 0.8}
    assert seconds == pytest.approx(expected), "a CPU has no others"


def test_torch_chooses_where_little_is_gained():
    assert Timed(torch=1.0, flash=0.97, math=2.0).chosen()[0] == attention.TORCH


def test_a_kernel_that_draws_otherwise_is_not_taken():
    timed = Timed(torch=1.0, flash=0.1, math=0.2)

    def forward():
        out = timed()
        return out + 1 if timed.kernel() == "flash" else out

    chosen, seconds = attention.quickest(forward, clock=lambda: timed.now, settle=lambda: None)
    assert chosen == "math"
    assert "flash" not in seconds


@pytest.mark.parametrize("name", [attention.TORCH, *attention.KERNELS])
def test_a_kernel_that_cannot_be_had_is_no_more_than_a_preference(name):
    mask = torch.ones(1, 1, 16, 16, dtype=torch.bool)
    with attention.preferring(name)():
        plain = attend()
        masked = scaled_dot_product_attention(QUERY, QUERY, QUERY, attn_mask=mask)
    assert torch.allclose(plain, attend(), atol=1e-5)
    assert torch.allclose(masked, plain, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_choice_draws_the_same(family, tmp_path, monkeypatch):
    monkeypatch.setattr(attention, "ROUNDS", 1)
    case = next(case for case in CASES if case.family == family)
    case.build().save_pretrained(tmp_path / "model")
    size = {"width": case.side, "height": case.side}
    found = []
    for choice in ("torch", "math", "flash", "auto"):
        variant = Variant(
            name="tiny", model=str(tmp_path / "model"), family=family, attention=choice
        )
        held = hold(variant)
        with torch.inference_mode():
            tuned = Tuner({"tiny": variant}, device=CPU, measures=True).ready([held]).tuned["tiny"]
            one = Sample(order(held, steps=1, guidance=case.guidance, size=size), device=CPU)
            found.append(batch.predict([one])[0])
        assert choice in (tuned.attention, "auto")
        assert tuned.attention in {attention.TORCH, *attention.KERNELS}
    span = found[0].max() - found[0].min()
    for each in found[1:]:
        assert (each - found[0]).abs().max() <= 1e-4 * span


def test_on_a_cpu_nothing_is_measured_unless_told(tmp_path):
    case = next(case for case in CASES if case.family == "sdxl")
    case.build().save_pretrained(tmp_path / "model")
    variant = Variant(name="tiny", model=str(tmp_path / "model"), family="sdxl")
    tuner = Tuner({"tiny": variant}, device=CPU)
    assert not tuner._measures
    assert tuner.ready([hold(variant)]).tuned["tiny"].attention == attention.TORCH
