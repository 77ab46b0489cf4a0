"""LoRAs: added without a trace on the model they are added to, shared with what they leave."""

import shutil

import pytest
import torch
from safetensors.torch import load, save_file

from argus_core.spec import Variant
from argus_core.spec_engine import Lora
from argus_worker import batch, sources
from argus_worker.errors import BadModel
from argus_worker.families import find_family
from argus_worker.masters import Masters
from argus_worker.sample import Sample
from engine_support import hold, order
from families_support import CASES
from loras_support import write_lora

CPU = torch.device("cpu")
LOADERS = ("sd15", "sdxl", "sd3", "flux", "sana", "z-image", "qwen-image", "flux2-klein")
"""Families of which each has a loader of its own in diffusers."""
LORAS = [case for case in CASES if case.family in LOADERS]


@pytest.fixture(scope="module", params=LORAS, ids=lambda case: case.id)
def made(request, tmp_path_factory):
    """A case, its model's folder, and a LoRA for it."""
    case, place = request.param, tmp_path_factory.mktemp(request.param.family)
    case.build().save_pretrained(place / "model")
    return case, place / "model", [write_lora(case, place / "a.safetensors", 0)]


def variant(made, *loras, name="tiny"):
    case, folder, _ = made
    return Variant(name=name, model=str(folder), family=case.family, loras=loras)


def masters(*variants):
    return Masters({v.name: v for v in variants}, device=CPU, limit_bytes=0)


def drawn(case, held):
    size = {"width": case.side, "height": case.side}
    with torch.inference_mode():
        one = Sample(order(held, steps=case.steps, guidance=case.guidance, size=size), device=CPU)
        while not one.finished:
            one.advance(batch.predict([one])[0])
    return one.latent


def bits(held):
    return {
        f"{part}.{name}": tensor.clone()
        for part, module in held.family.modules.items()
        for name, tensor in module.state_dict().items()
    }


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_a_lora_leaves_the_model_as_it_was_to_the_bit(made):
    case, _, (path,) = made
    plain, with_lora = variant(made), variant(made, Lora(model=str(path)), name="with")
    kept = masters(plain, with_lora)
    base, read = kept.fetch("tiny")
    before, latent, weights = bits(base), drawn(case, base), kept.bytes
    adapted, more = kept.fetch("with")
    assert more == path.stat().st_size < read, "the base is not read again"
    assert same(bits(base), before)
    assert torch.equal(drawn(case, base), latent)
    assert not torch.equal(drawn(case, adapted), latent)
    changed = [key for key, tensor in bits(adapted).items() if not torch.equal(tensor, before[key])]
    assert changed
    assert bits(adapted).keys() == before.keys(), "nothing of the LoRA's own modules is left"
    grown = sum(before[key].nbytes for key in changed)
    assert kept.bytes == weights + grown, "what it does not change is shared"
    assert adapted.latent_space != base.latent_space


def test_a_lora_does_what_the_pipelines_own_does(qwen):
    case, _, (path, other) = made = qwen
    loras = (Lora(model=str(path), scale=0.7), Lora(model=str(other), scale=-0.5))
    held = hold(variant(made, *loras))
    pipeline, net = case.build(), find_family(case.family).DENOISER
    for name, lora in zip("ab", loras, strict=True):
        pipeline.load_lora_weights(lora.model, adapter_name=name)
    pipeline.set_adapters(["a", "b"], [0.7, -0.5])
    pipeline.fuse_lora([net])
    pipeline.unload_lora_weights()
    theirs = getattr(pipeline, net).state_dict()
    ours = held.family.modules[net].state_dict()
    assert ours.keys() == theirs.keys()
    for key, tensor in ours.items():
        assert torch.allclose(tensor, theirs[key], atol=1e-6), key


def test_variants_of_one_base_with_different_loras_share_it(qwen):
    _, _, paths = made = qwen
    variants = [variant(made, Lora(model=str(path)), name=path.stem) for path in paths]
    kept = masters(*variants)
    (one, first), (other, second) = (kept.fetch(v.name) for v in variants)
    assert second == paths[1].stat().st_size < first
    shared = {t.data_ptr() for t in one.residency.masters}
    assert shared & {t.data_ptr() for t in other.residency.masters}
    assert one.latent_space != other.latent_space


CASE = next(case for case in LORAS if case.family == "qwen-image")


@pytest.fixture(scope="module")
def qwen(tmp_path_factory):
    place = tmp_path_factory.mktemp("qwen")
    CASE.build().save_pretrained(place / "model")
    loras = [
        write_lora(CASE, place / f"{name}.safetensors", seed) for seed, name in enumerate("ab")
    ]
    return CASE, place / "model", loras


def test_a_lora_may_lie_in_a_folder(qwen, tmp_path):
    path = qwen[2][0]
    shutil.copy(path, tmp_path / "one.safetensors")
    assert sources.find_lora(Lora(model=str(tmp_path))).path.name == "one.safetensors"
    shutil.copy(path, tmp_path / "two.safetensors")
    with pytest.raises(BadModel, match="2 safetensors files: name one"):
        sources.find_lora(Lora(model=str(tmp_path)))
    chosen = sources.find_lora(Lora(model=str(tmp_path), file="two.safetensors", scale=0.5))
    assert (chosen.path.name, chosen.scale) == ("two.safetensors", 0.5)


def pickled(path):
    torch.save(load(path.read_bytes()), path.with_suffix(".bin"))
    return path.with_suffix(".bin")


def renamed(path):
    torch.save(load(path.read_bytes()), path)
    return path


def not_finite(path):
    weights = load(path.read_bytes())
    next(iter(weights.values())).fill_(float("nan"))
    save_file(weights, path)
    return path


def of_another_model(path):
    save_file({"transformer.nothing.lora_A.weight": torch.ones(2, 2)}, path)
    return path


def gone(path):
    path.unlink()
    return path


@pytest.mark.parametrize("spoil", [pickled, renamed, not_finite, of_another_model, gone])
def test_a_spoilt_lora_is_refused_with_the_variants_name(qwen, tmp_path, spoil):
    path = spoil(shutil.copy(qwen[2][0], tmp_path / "lora.safetensors"))
    with pytest.raises(BadModel, match="variant tiny: ."):
        hold(variant(qwen, Lora(model=str(path))))


def test_families_without_loras_refuse_them(qwen):
    lora = Lora(model=str(qwen[2][0]))
    with pytest.raises(BadModel, match="takes no LoRAs"):
        hold(Variant(name="x", model="builtin:shapes-tiny", family="shapes", loras=(lora,)))
