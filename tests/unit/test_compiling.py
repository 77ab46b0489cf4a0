"""Compiled blocks: the same pictures, nothing traced twice, and drawn without where it fails."""

import shutil

import pytest
import torch

from argus_core.spec import Variant
from argus_core.spec_engine import Lora
from argus_worker import batch, compiling
from argus_worker.families import find_family
from argus_worker.masters import Masters
from argus_worker.residency import pointer
from argus_worker.sample import Sample
from argus_worker.tuning import Tuner, trials
from engine_support import TINY, ask, collect, hold, now, order, phase, running
from families_support import CASES
from loras_support import write_lora

CPU = torch.device("cpu")
TOLERANCE = 1e-4
"""Of the latent's range: kernels that are fused round elsewhere."""
SDXL = next(case for case in CASES if case.family == "sdxl")
FLUX = next(case for case in CASES if case.family == "flux")


@pytest.fixture(scope="module", autouse=True)
def forgotten():
    """Nothing is compiled when these tests begin, or after them."""
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sdxl") / "model"
    SDXL.build().save_pretrained(folder)
    return folder


def variant(folder, name="tiny", family="sdxl", **fields):
    return Variant(name=name, model=str(folder), family=family, compile="always", **fields)


def tuner(*variants, backend="eager", **settings):
    return Tuner({v.name: v for v in variants}, device=CPU, backend=backend, **settings)


def ready(tuner, *held):
    with torch.inference_mode():
        return tuner.ready(held)


def drawn(held, case=SDXL, **fields):
    size = {"width": case.side, "height": case.side}
    with torch.inference_mode():
        one = Sample(
            order(held, **{"steps": 3, "guidance": 3.0, "size": size, **fields}), device=CPU
        )
        while not one.finished:
            one.advance(batch.predict([one])[0])
        one.close()
    return one.latent


def close(one, other):
    return (one - other).abs().max() <= TOLERANCE * (other.max() - other.min())


def traced(act):
    """How many graphs were traced meanwhile."""
    with compiling.counted() as counts:
        act()
    return counts[0].graphs


def test_only_what_shall_be_compiled_is(folder):
    plain = Variant(name="tiny", model=str(folder), family="sdxl")
    held = hold(plain)
    warmed = ready(tuner(plain), held)
    assert warmed.tuned["tiny"].blocks == warmed.graphs == 0
    assert Tuner({}, device=torch.device("cuda"))._compiles(plain), "on a GPU it is the default"


def test_after_warming_no_request_has_anything_traced(folder):
    one = variant(folder)
    held = hold(one)
    before = drawn(held)
    warmed = ready(tuner(one), held)
    assert warmed.tuned["tiny"].blocks == 4
    assert warmed.graphs > 0
    assert traced(lambda: drawn(held, guidance=1.0)) == 0
    assert traced(lambda: drawn(held, size={"width": 48, "height": 24})) == 0
    three = [sample(held, seed) for seed in (1, 2, 3)]
    with torch.inference_mode():
        assert traced(lambda: batch.predict(three)) == 0
    assert close(drawn(held), before)


def sample(held, seed):
    with torch.inference_mode():
        return Sample(order(held, steps=3, seed=seed, guidance=3.0), device=CPU)


def test_other_tensors_in_the_same_blocks_take_the_code_that_there_is(folder):
    """As a switch hangs them in."""
    one = variant(folder)
    held = hold(one)
    ready(tuner(one), held)
    copies = {pointer(master): master.clone() for master in held.residency.masters}
    held.residency.point_to(copies)
    assert traced(lambda: drawn(held)) == 0
    held.residency.put_out()
    assert traced(lambda: drawn(held)) == 0


def test_coming_back_to_a_variant_costs_nothing(folder):
    one = variant(folder)
    held, own = hold(one), tuner(one)
    first, again = ready(own, held), ready(own, held)
    assert again.graphs == 0
    assert again.tuned == first.tuned


def test_a_variant_with_a_lora_takes_the_graphs_of_its_model(folder, tmp_path):
    lora = Lora(model=str(write_lora(SDXL, tmp_path / "a.safetensors", 0)))
    plain, bright = variant(folder), variant(folder, "bright", loras=[lora])
    masters = Masters({v.name: v for v in (plain, bright)}, device=CPU, limit_bytes=0)
    held, lit = (masters.fetch(name)[0] for name in ("tiny", "bright"))
    before = [drawn(each) for each in (held, lit)]
    assert not close(*before)
    own = tuner(plain, bright)
    ready(own, held)
    warmed = ready(own, lit)
    assert (warmed.graphs, warmed.tuned["bright"].blocks) == (0, 4)
    for each, was in zip((held, lit), before, strict=True):
        assert close(drawn(each), was)


def test_a_step_cache_s_likeness_runs_as_it_is(tmp_path):
    FLUX.build().save_pretrained(tmp_path / "model")
    one = variant(tmp_path / "model", family="flux")
    held = hold(one)
    cache = "taylorseer:interval=2,order=1,warmup=1"
    before = drawn(held, FLUX, cache=cache)
    ready(tuner(one), held)
    assert traced(lambda: drawn(held, FLUX, cache=cache)) == 0
    assert torch.equal(drawn(held, FLUX, cache=cache), before)


def test_what_cannot_be_compiled_is_drawn_as_it_is(folder):
    def broken(_graph, _inputs):
        raise RuntimeError("no compiler here")

    one = variant(folder)
    held = hold(one)
    before = drawn(held)
    tuned = ready(tuner(one, backend=broken), held).tuned["tiny"]
    assert tuned.blocks == 0
    assert "no compiler here" in tuned.reason
    assert torch.equal(drawn(held), before)


def test_a_compiler_that_fails_on_a_request_is_done_without(folder):
    def picky(graph, inputs):
        return graph.forward

    one = variant(folder)
    held, own = hold(one), tuner(one, backend=picky)
    ready(own, held)
    error = compiling.TorchDynamoException("a shape that it cannot do")
    assert not own.mend(held, RuntimeError("out of luck"))
    assert own.mend(held, error)
    assert "a shape that it cannot do" in own._tuned[held.family].reason
    assert traced(lambda: drawn(held, size={"width": 64, "height": 24})) == 0


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_every_family_has_blocks_that_repeat(case):
    """Of the real models; a tiny one may have a single block, which repeats nothing."""
    net = find_family(case.family).MODULES[find_family(case.family).DENOISER]
    named = getattr(net, "_repeated_blocks", None) or net._no_split_modules
    assert any("Block" in name for name in named)


@pytest.mark.timeout(400)
async def test_a_worker_tells_what_was_compiled_before_it_was_ready(tmp_path, monkeypatch):
    monkeypatch.setattr("argus_worker.tuning.BACKEND", "eager")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "")
    one = TINY.model_copy(update={"compile": "always"})
    async with running(one, loadout=["tiny"], compiled=tmp_path / "c") as (_, stub, _channel):
        state = await phase(stub, "READY", patience=300)
        assert state.tunings["tiny"].compiled_blocks > 0
        assert not state.tunings["tiny"].reason
        assert state.last_switch.graphs > 0
        assert (tmp_path / "c").is_dir()
        assert traced(lambda: None) == 0
        before = traced_total()
        assert (await collect(stub.Execute(ask())))[-1].HasField("result")
        assert traced_total() == before
        assert (await now(stub)).last_switch == state.last_switch


def traced_total():
    return compiling._counts()[0]


@pytest.mark.timeout(900)
@pytest.mark.skipif(not shutil.which("g++"), reason="there is no C++ compiler here")
def test_kernels_outlive_the_process_and_draw_the_same(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "")
    torch.compiler.reset()
    one = variant(folder)
    held = hold(one)
    before = drawn(held)
    first = ready(tuner(one, backend="inductor", compiled=tmp_path), held)
    assert first.tuned["tiny"].blocks == 4
    assert 0 < first.made <= first.graphs, "graphs that are alike are compiled once"
    assert close(drawn(held), before)
    # All that a process remembers.
    torch.compiler.reset()
    again = hold(one)
    warmed = ready(tuner(one, backend="inductor", compiled=tmp_path), again)
    assert (warmed.graphs, warmed.made) == (first.graphs, 0)
    assert close(drawn(again), before)


def test_trials_are_of_one_row_and_two_and_of_two_sizes(folder):
    orders = list(trials(hold(variant(folder))))
    assert len({(o.width, o.height) for o in orders}) == 2
    assert {o.guidance_scale for o in orders} == {1.0, 2.0}
