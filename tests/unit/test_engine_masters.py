"""Weights in host memory: read once, never from disk again, bounded, and never from a pickle."""

import gc
import json
import shutil
import weakref

import pytest
import torch
from safetensors.torch import load, save_file
from torch import nn

from argus_core.spec import Variant
from argus_shapes import weights_path
from argus_worker import sources
from argus_worker.errors import BadModel
from argus_worker.families import find_family
from argus_worker.masters import Masters
from argus_worker.residency import Moved, Residency, Weights
from argus_worker.sample import Sample
from engine_support import TINY, hold, order

CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path):
    """A copy of a model, to be spoilt."""
    return shutil.copytree(weights_path("shapes-tiny"), tmp_path / "model")


def variant(folder, name="copy"):
    return Variant(name=name, model=str(folder), family="shapes")


def masters(*variants, limit=0):
    return Masters({v.name: v for v in variants}, device=CPU, limit_bytes=limit)


def test_a_variant_is_read_from_disk_once_even_when_the_disk_is_gone(folder):
    kept = masters(variant(folder))
    first, read = kept.fetch("copy")
    assert read == sources.disk_bytes(folder) > 100_000
    for weights in folder.rglob("*.safetensors"):
        weights.write_bytes(b"")
    shutil.rmtree(folder)
    again, read = kept.fetch("copy")
    assert (again, read) == (first, 0)
    with torch.inference_mode():
        states = Sample(order(again), device=CPU).conditioning.positive["states"]
    assert states.isfinite().all()


def another(folder, index):
    """A copy of a model with other weights: tensors that are alike would be held once."""
    copied = shutil.copytree(folder, folder.with_name(f"model{index}"))
    for path in copied.rglob("*.safetensors"):
        weights = {name: tensor + index + 1 for name, tensor in load(path.read_bytes()).items()}
        save_file(weights, path, metadata={"format": "pt"})
    return copied


def test_masters_beyond_the_limit_are_dropped_least_recently_fetched_first(folder):
    names = ("a", "b", "c")
    folders = {name: another(folder, index) for index, name in enumerate(names)}
    kept = masters(*(variant(folders[name], name) for name in names), limit=0)
    for name in names:
        kept.fetch(name)
    kept.fetch("a")
    assert kept.names == ("b", "c", "a")
    kept._limit = kept.bytes * 3 // 4
    kept.trim({"b"})
    assert kept.names == ("b", "a")
    kept._limit = 0
    kept.trim({"b"})
    assert kept.names == ("b",), "what a loadout names stays, whatever the limit"


def test_nothing_is_prefetched_that_others_would_be_dropped_for(folder):
    kept = masters(variant(folder), variant(another(folder, 1), "other"), limit=2**30)
    assert kept.prefetch("copy")
    kept._limit = kept.bytes + 1000
    assert not kept.prefetch("other")
    assert kept.names == ("copy",)


def test_a_model_that_cannot_be_read_is_not_prefetched(folder):
    spoil_index(folder)
    assert not masters(variant(folder), limit=2**30).prefetch("copy")


def spoil_index(folder):
    (folder / "model_index.json").write_text("{")


def spoil_weights(folder):
    (folder / "transformer" / "diffusion_pytorch_model.safetensors").write_bytes(b"\0" * 1000)


def cut_weights(folder):
    path = folder / "text_encoder" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def lose_a_weight(folder):
    path = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    weights = load(path.read_bytes())
    weights.pop("proj_out.weight")
    save_file(weights, path)


def lose_a_component(folder):
    shutil.rmtree(folder / "text_encoder")


def pickle_weights(folder):
    path = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    path.unlink()
    torch.save({}, path.with_suffix(".bin"))


def invent_a_scheduler(folder):
    path = folder / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps({"_class_name": "DiffusionPipeline"}))


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_index,
        spoil_weights,
        cut_weights,
        lose_a_weight,
        lose_a_component,
        pickle_weights,
        invent_a_scheduler,
        shutil.rmtree,
    ],
)
def test_a_spoilt_model_is_refused_with_the_variants_name(folder, spoil):
    spoil(folder)
    kept = masters(variant(folder))
    with pytest.raises(BadModel, match="variant copy: ."):
        kept.fetch("copy")
    assert kept.names == ()


@pytest.mark.parametrize("model", ["builtin:nothing", "/nowhere", "not a hub id", "../x"])
def test_a_model_that_is_nowhere_is_refused(model):
    with pytest.raises(BadModel, match="no "):
        sources.resolve(Variant(name="x", model=model, family="shapes"))


def test_an_unknown_family_is_refused_with_those_known():
    with pytest.raises(BadModel, match="sdxl-turbo, shapes"):
        find_family("unheard-of")


def test_fingerprints_tell_models_apart_but_not_their_places(folder):
    original = weights_path("shapes-tiny")
    assert sources.fingerprint(folder) == sources.fingerprint(original)
    path = folder / "text_encoder" / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert sources.fingerprint(folder) != sources.fingerprint(original)


def test_weights_are_held_in_the_dtype_asked_for():
    half = hold(Variant(name="half", model=TINY.model, family="shapes", dtype="bfloat16"))
    assert {p.dtype for p in half.family.modules["transformer"].parameters()} == {torch.bfloat16}
    assert half.residency.bytes < 0.6 * hold(TINY).residency.bytes


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.second = nn.Linear(3, 3)
        self.second.weight = self.first.weight
        self.register_buffer("table", torch.arange(3.0))


def test_masters_come_back_untouched_from_a_device():
    """Any device that is not the host shows it; `meta` holds no data, so none can come back."""
    module = Tied()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    weights = Weights(torch.device("meta"))
    residency = Residency([module], weights)
    masters = [module.first.weight, module.table]
    assert weights.show([residency]) == Moved(moved=residency.bytes, kept=0)
    assert {t.device.type for t in (*module.parameters(), *module.buffers())} == {"meta"}
    assert module.second.weight is module.first.weight
    residency.put_out()
    assert weights.show([residency]) == Moved(moved=0, kept=residency.bytes), "shown already"
    residency.put_out()
    assert module.first.weight is masters[0]
    assert module.table is masters[1]
    assert all(torch.equal(before[name], t) for name, t in module.state_dict().items())
    assert residency.bytes == 4 * (9 + 3 + 3 + 3), "tied weights count once"


def test_tensors_of_the_same_bits_are_held_and_copied_once():
    """Models of one family often come with the same encoders, each in its own folder."""
    one, other = Tied(), Tied()
    other.second.load_state_dict(one.second.state_dict())
    weights = Weights(torch.device("meta"))
    first, second = Residency([one], weights), Residency([other], weights)
    assert other.first.weight.data_ptr() == one.first.weight.data_ptr()
    assert other.table.data_ptr() == one.table.data_ptr()
    assert other.first.bias.data_ptr() != one.first.bias.data_ptr()
    lone = 4 * 3
    weights.show([first])
    assert weights.show([first, second]) == Moved(moved=lone, kept=first.bytes)
    assert weights.show([second]) == Moved(moved=0, kept=second.bytes)


def test_zeros_of_either_sign_are_not_the_same():
    weights = Weights(CPU)
    zeros = torch.zeros(3)
    assert weights.own(zeros) is weights.own(zeros.clone())
    assert weights.own(-zeros) is not weights.own(zeros)
    odd = torch.tensor([float("nan")])
    assert weights.own(odd) is weights.own(odd.clone()) is not weights.own(torch.ones(1))


def test_masters_nobody_has_are_forgotten():
    weights = Weights(CPU)
    residency = Residency([Tied()], weights)
    gone = weakref.ref(residency.masters[0])
    del residency
    gc.collect()
    assert gone() is None
