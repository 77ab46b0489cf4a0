"""What holds of every family: the engine's loop against its pipeline's call, and against itself."""

import asyncio
import dataclasses
import inspect
import weakref

import pytest
import torch

from argus_core.errors import InvalidRequest
from argus_core.spec import Variant
from argus_worker import batch, noise
from argus_worker.encodings import Encodings
from argus_worker.engine import Engine
from argus_worker.families import names
from argus_worker.latents import unpack
from argus_worker.masters import Masters
from argus_worker.order import Drawn, Progress
from argus_worker.sample import Sample
from engine_support import CAPTION, hold, order
from families_support import CASES

CPU = torch.device("cpu")
ENCODINGS = Encodings()
"""The same to the bit as encoding again, see test_encodings, and quicker."""
TOLERANCE = 1e-4
"""Of the latent's range."""


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.id)
def made(request, tmp_path_factory):
    """A case, its pipeline, and the same read from disk by the worker."""
    case = request.param
    pipeline = case.build()
    folder = tmp_path_factory.mktemp(case.family) / "model"
    pipeline.save_pretrained(folder)
    return case, pipeline, hold(Variant(name="tiny", model=str(folder), family=case.family))


def wish(case, **fields):
    return {
        "steps": case.steps,
        "guidance": case.guidance,
        "size": {"width": case.side, "height": case.side},
        "negative_prompt": case.negative,
        **fields,
    }


def sample(made, **fields):
    case, _, held = made
    with torch.inference_mode():
        wished = order(held, **wish(case, **fields))
        return Sample(wished, device=CPU, encodings=ENCODINGS)


def run(*samples):
    """Denoise to the end, one forward for all that stand; returns their latents."""
    with torch.inference_mode():
        while standing := [sample for sample in samples if not sample.finished]:
            for one, prediction in zip(standing, batch.predict(standing), strict=True):
                one.advance(prediction)
    return [sample.latent for sample in samples]


def close(one, other):
    return (one - other).abs().max() <= TOLERANCE * (other.max() - other.min())


def called(case, pipeline, output="latent", **changed):
    """What the pipeline's own call gives, and its latents after each step, as planes."""
    seen = []

    def legacy(_index, _timestep, latents):
        seen.append(case.planes(latents))

    def keep(_pipeline, _index, _timestep, tensors):
        seen.append(case.planes(tensors["latents"]))
        return {}

    takes = inspect.signature(pipeline.__call__).parameters
    modern = "callback_on_step_end" in takes
    hook = {"callback_on_step_end": keep} if modern else {"callback": legacy}
    outcome = pipeline(
        prompt=CAPTION,
        num_inference_steps=case.steps,
        width=case.side,
        height=case.side,
        generator=torch.Generator().manual_seed(1),
        output_type=output,
        **hook,
        **{**case.arguments(case.guidance, case.negative), **changed},
    )
    return outcome.images, seen


@pytest.fixture(scope="module")
def theirs(made):
    """The pipeline's latents after each step."""
    case, pipeline, _ = made
    return called(case, pipeline)[1]


def test_every_family_is_tested():
    assert {case.family for case in CASES} == set(names()) - {"shapes"}


def test_own_loop_equals_the_pipelines_call(made, theirs):
    (ours,) = run(sample(made))
    assert ours.isfinite().all()
    assert close(ours, theirs[-1])


def test_unguided_loop_equals_the_pipelines_call(made):
    case, pipeline, _ = made
    plain = dataclasses.replace(case, guidance=1.0)
    (ours,) = run(sample(made, guidance=1.0))
    assert close(ours, called(plain, pipeline)[1][-1])


def test_decoded_image_equals_the_pipelines(made):
    case, pipeline, held = made
    ((image,), _) = called(case, pipeline, "pil")
    with torch.inference_mode():
        ours = held.family.decode(run(sample(made))[0])
    assert ours.size == image.size == (case.side, case.side)
    # Rounding may tip where kernels differ in the last bit.
    far = [abs(a - b) for a, b in zip(ours.tobytes(), image.tobytes(), strict=True)]
    assert max(far) <= 1


def test_captured_latents_equal_the_callbacks(made, theirs):
    case, _, _ = made
    one = sample(made, capture_steps=range(1, case.steps))
    run(one)
    assert len(one.captured) == case.steps - 1
    for kept in one.captured:
        latent = unpack(kept.data, shape=tuple(one.latent.shape), dtype=torch.float32)
        assert close(latent, theirs[kept.step - 1])


def test_resumed_at_any_step_equals_uninterrupted(made):
    case, _, held = made
    whole = sample(made, capture_steps=range(1, case.steps))
    (uninterrupted,) = run(whole)
    for kept in whole.captured:
        start = {
            "step": kept.step,
            "compatibility": whole.order.compatibility,
            "data": kept.data,
        }
        if not case.resumes:
            with pytest.raises(InvalidRequest, match="skipped_steps"):
                sample(made, skipped=kept.step, start=start)
            continue
        (resumed,) = run(sample(made, skipped=kept.step, start=start))
        assert torch.equal(resumed, uninterrupted), f"resumed at {kept.step}"


def test_each_of_a_batch_equals_the_image_alone(made):
    case, _, _ = made
    wishes = [
        {"seed": 1},
        {"seed": 2, "guidance": 1.0, "steps": case.steps - 1 or 1},
        {"seed": 3, "prompt": "two small blue squares beside a tall green tower"},
    ]
    together, alone = ([sample(made, **wish) for wish in wishes] for _ in range(2))
    for one, other in zip(together, alone, strict=True):
        assert torch.equal(one.latent, other.latent), "noise must be the same to the bit"
    latents = run(*together)
    assert not close(latents[0], latents[2])
    for latent, single in zip(latents, alone, strict=True):
        assert close(latent, run(single)[0])


def test_the_same_seed_twice_gives_the_same_to_the_bit(made):
    (one,), (other,), (third,) = (run(sample(made, seed=seed)) for seed in (5, 5, 6))
    assert torch.equal(one, other)
    assert not torch.equal(one, third)


def test_the_prompt_and_guidance_matter(made):
    """Or equality with the pipeline would be cheap."""
    case, _, _ = made
    (one,) = run(sample(made))
    assert not torch.equal(one, run(sample(made, prompt="a small blue square"))[0])
    if case.guidance != 1.0:
        assert not torch.equal(one, run(sample(made, guidance=1.0))[0])


def test_previews_are_pictures_at_every_step(made):
    _, _, held = made
    one = sample(made)
    with torch.inference_mode():
        while not one.finished:
            clean = one.advance(batch.predict([one])[0])
            assert clean.isfinite().all()
            assert min(held.family.preview(clean).size) > 0


def test_tokens_are_counted_with_their_marks(made):
    _, _, held = made
    count = held.family.tokens
    assert 0 <= count("") < count("a red") < count("a red circle")


def test_noise_is_the_seeds_own(made):
    one = sample(made)
    drawn = torch.randn(one.latent.shape, generator=noise.generator(1, 0))
    assert torch.allclose(one.latent, drawn * one.latent.flatten()[0] / drawn.flatten()[0])


@pytest.fixture
async def engine():
    """An engine with nothing to load: on a CPU masters are what serves."""
    engine = Engine(Masters({}, device=CPU, limit_bytes=0), device=CPU, threads=1, slots=1)
    engine.start()
    yield engine
    await engine.stop(10.0)


async def told(engine, wish):
    """What the engine has told of an order once it let go of it; and its outbox, for the rest."""
    ended = asyncio.Event()
    job = engine.submit(wish, deadline=engine.clock() + 100, on_end=ended.set)
    await asyncio.wait_for(ended.wait(), 60)
    return list(job.outbox._events), job.outbox


async def test_a_cancel_at_any_step_leaves_nothing_behind(made, engine, monkeypatch):
    case, _, held = made
    plain, scheduler = held.family.predict, repr(vars(held.family.scheduler))
    left, forwards = [], 0

    def predict(*arguments):
        nonlocal forwards
        forwards += 1
        left.extend(weakref.ref(running.sample) for running in engine._running)
        if forwards == stop_after:
            engine._running[0].job.cancel()
        return plain(*arguments)

    monkeypatch.setattr(held.family, "predict", predict)
    for stop_after in range(1, case.steps):
        forwards = 0
        events, _ = await told(engine, order(held, **wish(case)))
        assert forwards == stop_after
        assert not any(isinstance(event, Drawn) for event in events)
        assert [event.step for event in events if isinstance(event, Progress)][-1:] == [stop_after]
        assert not engine._running
    monkeypatch.undo()
    _, outbox = await told(engine, order(held, **wish(case)))
    while not isinstance(done := await outbox.get(10.0), Drawn):
        pass
    with torch.inference_mode():
        alone = held.family.decode(run(sample(made))[0])
    assert done.image.tobytes() == alone.tobytes()
    assert not any(ref() for ref in left), "cancelled samples must be gone"
    assert repr(vars(held.family.scheduler)) == scheduler, "the template is only ever copied"
