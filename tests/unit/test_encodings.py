"""Encodings that are kept: the same to the bit, bounded, and of one encoder only."""

import shutil

import pytest
import torch

from argus_core.spec import Variant
from argus_core.spec_engine import Lora
from argus_worker import batch
from argus_worker.encodings import Encodings
from argus_worker.masters import Masters
from argus_worker.sample import Sample
from engine_support import TINY, hold, order, save_sdxl
from families_support import CASES, DISTINCT, EULER
from loras_support import write_lora

CPU = torch.device("cpu")
SDXL = next(case for case in CASES if case.family == "sdxl")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_sdxl(tmp_path_factory.mktemp("sdxl") / "model", EULER)


@pytest.fixture(scope="module", params=DISTINCT, ids=lambda case: case.id)
def made(request, tmp_path_factory):
    case = request.param
    folder = tmp_path_factory.mktemp(case.family) / "model"
    case.build().save_pretrained(folder)
    return case, hold(Variant(name="tiny", model=str(folder), family=case.family))


def of(encodings, wish):
    with torch.inference_mode():
        return encodings.of(wish, CPU)


def same(one, other):
    pairs = [(one.positive, other.positive), (one.negative or {}, other.negative or {})]
    return all(
        mine.keys() == theirs.keys() and all(torch.equal(mine[k], theirs[k]) for k in mine)
        for mine, theirs in pairs
    )


def drawn(encodings, wish):
    with torch.inference_mode():
        one = Sample(wish, device=CPU, encodings=encodings)
        one.advance(batch.predict([one])[0])
    return one.latent


def test_what_is_reused_draws_the_same_to_the_bit(made):
    case, held = made
    size = {"width": case.side, "height": case.side}
    wish = order(held, steps=1, guidance=case.guidance, size=size, negative_prompt=case.negative)
    encodings = Encodings()
    plain, first, again = (drawn(e, wish) for e in (Encodings(limit_bytes=0), encodings, encodings))
    assert torch.equal(plain, first)
    assert torch.equal(plain, again)
    assert (encodings.made, encodings.reused) == (1, 1)
    fresh = of(Encodings(limit_bytes=0), wish)
    assert same(of(encodings, wish), fresh), "nothing that draws writes into it"


@pytest.mark.parametrize(
    "other",
    [
        {"prompt": "a blue square"},
        {"negative_prompt": "fog"},
        {"guidance": 1.0},
        {"size": {"width": 48, "height": 32}},
    ],
)
def test_whatever_is_asked_otherwise_is_encoded_anew(folder, other):
    held, encodings = hold(Variant(name="tiny", model=str(folder), family="sdxl")), Encodings()
    of(encodings, order(held, seed=1))
    of(encodings, order(held, seed=2))
    assert (encodings.made, encodings.reused) == (1, 1), "a seed is not the encoder's"
    of(encodings, order(held, **other))
    assert (encodings.made, encodings.reused) == (2, 1)


def test_the_least_recently_used_go_first_and_the_bound_is_kept():
    held = hold(TINY)
    wishes = [order(held, prompt=f"a {colour} circle") for colour in ("red", "blue", "green")]
    one = Encodings()
    of(one, wishes[0])
    encodings = Encodings(limit_bytes=2 * one.bytes)
    for index in (0, 1, 0, 2):
        of(encodings, wishes[index])
    assert encodings.bytes == 2 * one.bytes
    of(encodings, wishes[0])
    assert (encodings.made, encodings.reused) == (3, 2)
    of(encodings, wishes[1])
    assert encodings.made == 4, "the second had gone"


def test_what_is_larger_than_the_bound_is_not_kept():
    encodings = Encodings(limit_bytes=10)
    of(encodings, order(hold(TINY)))
    assert encodings.bytes == 0


def variants(folder, other, lora):
    masters = Masters(
        {
            v.name: v
            for v in (
                Variant(name="one", model=str(folder), family="sdxl"),
                Variant(name="kin", model=str(other), family="sdxl"),
                Variant(name="half", model=str(folder), family="sdxl", dtype="bfloat16"),
                Variant(name="few", model=str(folder), family="sdxl-turbo"),
                Variant(name="lora", model=str(folder), family="sdxl", loras=[lora]),
            )
        },
        device=CPU,
        limit_bytes=2**40,
    )
    return {name: masters.fetch(name)[0] for name in masters.variants}


def test_variants_share_what_is_encoded_only_where_the_encoder_is_one(folder, tmp_path):
    kin = shutil.copytree(folder, tmp_path / "kin")
    weights = kin / "unet" / "diffusion_pytorch_model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    lora = Lora(model=str(write_lora(SDXL, tmp_path / "a.safetensors", 0)))
    held = variants(folder, kin, lora)
    assert held["one"].model != held["kin"].model
    assert held["one"].encoder == held["kin"].encoder == held["lora"].encoder
    assert len({held[name].encoder for name in ("one", "half", "few")}) == 3


@pytest.mark.parametrize("part", ["text_encoder", "text_encoder_2", "tokenizer"])
def test_another_encoder_or_tokenizer_is_another(folder, tmp_path, part):
    other = shutil.copytree(folder, tmp_path / "other")
    (file,) = (other / part).glob("*.safetensors" if "encoder" in part else "tokenizer.json")
    data = bytearray(file.read_bytes())
    if "encoder" in part:
        data[-1] ^= 1
    else:
        data += b"\n"
    file.write_bytes(data)
    one, two = (hold(Variant(name="v", model=str(f), family="sdxl")) for f in (folder, other))
    assert one.encoder != two.encoder


def test_a_lora_on_the_encoder_makes_another_of_it(folder, tmp_path):
    plain = Variant(name="plain", model=str(folder), family="sdxl")
    path = write_lora(SDXL, tmp_path / "a.safetensors", 0, part="text_encoder")
    touched = plain.model_copy(update={"name": "lora", "loras": (Lora(model=str(path)),)})
    masters = Masters({v.name: v for v in (plain, touched)}, device=CPU, limit_bytes=2**40)
    one, other = (masters.fetch(name)[0] for name in ("plain", "lora"))
    assert one.encoder != other.encoder
    wishes = [order(held) for held in (one, other)]
    encodings = Encodings()
    first, second = (of(encodings, wish) for wish in wishes)
    assert encodings.made == 2
    assert not same(first, second)
