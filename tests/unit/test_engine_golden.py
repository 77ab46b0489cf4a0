"""The engine's loop against diffusers' own, and against itself."""

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
)

from argus_core.errors import InvalidRequest
from argus_core.spec import Variant
from argus_shapes import weights_path
from argus_shapes.pipeline import ShapesPipeline
from argus_worker import batch, noise
from argus_worker.errors import BadModel
from argus_worker.latents import unpack
from argus_worker.sample import Sample
from engine_support import BETAS, CAPTION, TINY, build_sdxl, hold, order, save_sdxl

CPU = torch.device("cpu")
STEPS = 6
TOLERANCE = 1e-5
"""Relative to the latent's largest value: kernels differ by batch shape, never by more."""

EULER = EulerDiscreteScheduler(**BETAS, timestep_spacing="leading", steps_offset=1)
DDIM = DDIMScheduler(**BETAS, timestep_spacing="trailing", clip_sample=False)
ANCESTRAL = EulerAncestralDiscreteScheduler(**BETAS, timestep_spacing="trailing")


@pytest.fixture(scope="module")
def held(tmp_path_factory):
    """Every variant of these tests, by the name of its scheduler."""
    variants = {"shapes": hold(TINY)}
    for name, scheduler in (("euler", EULER), ("ddim", DDIM), ("ancestral", ANCESTRAL)):
        folder = save_sdxl(tmp_path_factory.mktemp(name) / "model", scheduler)
        variants[name] = hold(Variant(name=name, model=str(folder), family="sdxl"))
    return variants


@pytest.fixture(scope="module")
def pipelines():
    shapes = ShapesPipeline.from_pretrained(weights_path("shapes-tiny"), dtype=torch.float32)
    shapes.set_progress_bar_config(disable=True)
    return {"shapes": shapes, "euler": build_sdxl(EULER), "ddim": build_sdxl(DDIM)}


def run(*samples):
    """Denoise samples to their ends, one forward for all that stand; returns their latents."""
    with torch.inference_mode():
        while standing := [sample for sample in samples if not sample.finished]:
            for sample, prediction in zip(standing, batch.predict(standing), strict=True):
                sample.advance(prediction)
    return [sample.latent for sample in samples]


def sample(variant, **fields):
    with torch.inference_mode():
        return Sample(order(variant, **{"steps": STEPS, "guidance": 3.0, **fields}), device=CPU)


def start_of(done, step):
    """A finished sample's captured latent, as another request would bring it."""
    kept = next(kept for kept in done.captured if kept.step == step)
    return {
        "step": step,
        "compatibility": done.order.compatibility,
        "data": kept.data,
    }


def close(one, other):
    return (one - other).abs().max() <= TOLERANCE * other.abs().max()


def called(pipeline, guidance=3.0, steps=STEPS, seed=1, **arguments):
    """The latents of diffusers' own call after each step, the last being its outcome."""
    seen = []

    def keep(_pipeline, _index, _timestep, tensors):
        seen.append(tensors["latents"].clone())
        return {}

    pipeline(
        CAPTION,
        num_inference_steps=steps,
        guidance_scale=guidance,
        generator=torch.Generator().manual_seed(seed),
        output_type="latent",
        callback_on_step_end=keep,
        **arguments,
    )
    return seen


@pytest.mark.parametrize("guidance", [1.0, 3.0])
@pytest.mark.parametrize("name", ["shapes", "euler", "ddim"])
def test_own_loop_equals_the_pipelines_call(held, pipelines, name, guidance):
    theirs = called(pipelines[name], guidance=guidance)
    (ours,) = run(sample(held[name], guidance=guidance))
    assert close(ours, theirs[-1])


@pytest.mark.parametrize("name", ["shapes", "euler"])
def test_decoded_image_equals_the_pipelines(held, pipelines, name):
    generator = torch.Generator().manual_seed(1)
    theirs = pipelines[name](
        CAPTION, num_inference_steps=STEPS, guidance_scale=3.0, generator=generator
    ).images[0]
    with torch.inference_mode():
        ours = held[name].family.decode(run(sample(held[name]))[0])
    assert ours.tobytes() == theirs.tobytes()


def test_negative_prompt_and_size_reach_the_model_as_in_the_pipeline(held, pipelines):
    theirs = called(pipelines["euler"], negative_prompt="fog", width=48, height=24)
    (ours,) = run(sample(held["euler"], negative_prompt="fog", size={"width": 48, "height": 24}))
    assert close(ours, theirs[-1])


@pytest.mark.parametrize("name", ["shapes", "euler", "ddim"])
def test_captured_latents_equal_the_callbacks(held, pipelines, name):
    steps = range(1, STEPS)
    theirs, one = called(pipelines[name]), sample(held[name], capture_steps=steps)
    run(one)
    assert [kept.step for kept in one.captured] == list(steps)
    for kept in one.captured:
        latent = unpack(kept.data, shape=tuple(one.latent.shape), dtype=torch.float32)
        assert close(latent, theirs[kept.step - 1])


@pytest.mark.parametrize("name", ["shapes", "euler", "ddim", "ancestral"])
def test_resumed_at_any_step_equals_uninterrupted(held, name):
    whole = sample(held[name], capture_steps=range(1, STEPS))
    (uninterrupted,) = run(whole)
    for step in range(1, STEPS):
        again = sample(held[name], skipped=step, start=start_of(whole, step))
        (resumed,) = run(again)
        assert torch.equal(resumed, uninterrupted), f"resumed at {step}"


@pytest.mark.parametrize("name", ["shapes", "euler", "ddim", "ancestral"])
def test_each_of_a_batch_equals_the_image_alone(held, name):
    wishes = [
        {"seed": 1, "guidance": 2.0},
        {"seed": 2, "guidance": 1.0},
        {"seed": 3, "guidance": 5.0, "prompt": "two small blue squares", "steps": 3},
    ]
    together = [sample(held[name], **wish) for wish in wishes]
    alone = [sample(held[name], **wish) for wish in wishes]
    for one, other in zip(together, alone, strict=True):
        assert torch.equal(one.latent, other.latent), "noise must be the same to the bit"
    assert not torch.equal(together[0].latent, together[1].latent)
    for latent, single in zip(run(*together), alone, strict=True):
        assert close(latent, run(single)[0])


@pytest.mark.parametrize("name", ["shapes", "euler", "ddim", "ancestral"])
def test_samples_of_a_batch_may_stand_at_different_steps(held, name):
    early, late = sample(held[name], seed=1), sample(held[name], seed=2)
    with torch.inference_mode():
        for _ in range(STEPS // 2):
            early.advance(batch.predict([early])[0])
    assert early.timestep != late.timestep
    for latent, seed in zip(run(early, late), (1, 2), strict=True):
        assert close(latent, run(sample(held[name], seed=seed))[0])


def test_large_pictures_are_decoded_in_tiles_and_no_others(held, monkeypatch):
    family = held["euler"].family
    (latent,) = run(sample(held["euler"], size={"width": 64, "height": 32}))
    with torch.inference_mode():
        whole = family.decode(latent)
        assert not family._vae.use_tiling
        monkeypatch.setattr(type(family), "TILED_PIXELS", 64 * 32 - 1)
        assert family.decode(latent).size == whole.size
        assert family._vae.use_tiling
        monkeypatch.undo()
        assert family.decode(latent).tobytes() == whole.tobytes()


def test_noise_is_keyed_on_seed_and_step():
    draws = {
        (seed, step): torch.randn(4, generator=noise.generator(seed, step)).sum().item()
        for seed in (0, 1, 2**64 - 1)
        for step in (0, 1, 2)
    }
    assert len(set(draws.values())) == len(draws)
    again = torch.randn(4, generator=noise.generator(2**64 - 1, 2)).sum().item()
    assert again == draws[2**64 - 1, 2]


def test_preview_of_the_last_step_is_the_image(held):
    """The estimate of a flow's clean latent has nothing left to guess at its end."""
    one = sample(held["shapes"])
    with torch.inference_mode():
        while not one.finished:
            clean = one.advance(batch.predict([one])[0])
    assert close(clean, one.latent)


def test_schedulers_with_history_refuse_to_resume(tmp_path):
    scheduler = DPMSolverMultistepScheduler(**BETAS)
    folder = save_sdxl(tmp_path / "dpm", scheduler)
    variant = hold(Variant(name="dpm", model=str(folder), family="sdxl"))
    assert not variant.family.limits.resumable
    with pytest.raises(InvalidRequest, match="needs its history"):
        sample(variant, skipped=2)
    (latent,) = run(sample(variant))
    assert latent.isfinite().all()


def test_schedulers_of_two_forwards_a_step_are_refused(tmp_path):
    folder = save_sdxl(tmp_path / "heun", HeunDiscreteScheduler(**BETAS))
    with pytest.raises(BadModel, match="forwards for 4 steps"):
        hold(Variant(name="heun", model=str(folder), family="sdxl"))
