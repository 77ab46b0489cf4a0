"""Work skipped within steps: exact where nothing is skipped, never remembered, never shared."""

import diffusers
import pytest
import torch

from argus_core.errors import InvalidRequest
from argus_core.spec import Level, Variant
from argus_core.step_cache import parse
from argus_worker import batch
from argus_worker.families import find_family, names
from argus_worker.sample import Sample
from engine_support import hold, order
from families_support import CASES

CPU = torch.device("cpu")
STEPS = 8
METHODS = {
    "magcache": "magcache:threshold=1,skips=3,retention=0.2",
    "taylorseer": "taylorseer:interval=3,order=1,warmup=2",
}
KINDS = [("flux", "magcache"), ("flux", "taylorseer"), ("qwen-image", "taylorseer")]


@pytest.fixture(scope="module", params=KINDS, ids="-".join)
def made(request, tmp_path_factory):
    family, method = request.param
    case = next(case for case in CASES if case.family == family)
    folder = tmp_path_factory.mktemp(family) / "model"
    case.build().save_pretrained(folder)
    held = hold(Variant(name="tiny", model=str(folder), family=family))
    return case, held, METHODS[method]


@pytest.fixture
def cached(made):
    """How a request asks for the method."""
    return made[2]


def sample(made, cache="", seed=1):
    case, held, _ = made
    size = {"width": case.side, "height": case.side}
    with torch.inference_mode():
        wish = order(held, steps=STEPS, guidance=case.guidance, size=size, seed=seed, cache=cache)
        return Sample(wish, device=CPU)


def test_every_method_of_every_family_is_tested():
    assert set(KINDS) == {
        (name, method) for name in names() for method in find_family(name).FACTS.step_caches
    }


def run(*samples):
    """Denoise to the end, a step of each in turn as they group; returns their latents."""
    with torch.inference_mode():
        while standing := [one for one in samples if not one.finished]:
            for group in batch.groups(standing):
                for one, prediction in zip(group, batch.predict(group), strict=True):
                    one.advance(prediction)
    latents = [one.latent for one in samples]
    for one in samples:
        one.close()
    return latents


def weights(made):
    net = made[1].family._net
    return {name: tensor.data_ptr() for name, tensor in net.state_dict().items()}


def test_a_cache_skips_work_and_stays_near(made, cached, monkeypatch):
    (plain,), (near,) = run(sample(made)), run(sample(made, cached))
    assert near.isfinite().all()
    assert not torch.equal(near, plain)
    assert (near - plain).abs().mean() < plain.std()


def test_without_a_cache_all_is_as_before(made, cached):
    (before,), kept = run(sample(made)), weights(made)
    run(sample(made, cached))
    (after,) = run(sample(made))
    assert torch.equal(before, after)
    assert weights(made) == kept


def test_nothing_is_remembered_from_one_request_to_the_next(made, cached):
    (first,) = run(sample(made, cached))
    # One that is cancelled in the midst, and another seed.
    half = sample(made, cached, seed=7)
    with torch.inference_mode():
        for _ in range(STEPS // 2):
            half.advance(batch.predict([half])[0])
    half.close()
    run(sample(made, cached, seed=8))
    (again,) = run(sample(made, cached))
    assert torch.equal(first, again)


def test_samples_in_flight_together_do_not_share_what_they_remember(made, cached):
    alone = [run(sample(made, cached, seed=seed))[0] for seed in (1, 2)]
    together = run(sample(made, cached, seed=1), sample(made), sample(made, cached, seed=2))
    assert torch.equal(together[0], alone[0])
    assert torch.equal(together[2], alone[1])
    assert torch.equal(together[1], run(sample(made))[0])


def test_likenesses_hold_the_same_tensors_and_are_thrown_away_before_a_switch(made, cached):
    family = made[1].family
    run(sample(made, cached))
    spares = [net for nets in family.lender()._spares.values() for net in nets]
    assert spares
    assert {t.data_ptr() for t in spares[0].parameters()} == {
        t.data_ptr() for t in family._net.parameters()
    }
    family.lender().forget()
    assert not family.lender()._spares


def test_a_method_that_the_family_lacks_is_refused(made):
    case, held, _ = made
    lacking = {"flux": "pyramid", "qwen-image": "magcache"}[case.family]
    with pytest.raises(InvalidRequest, match=r"schedule\.step_cache"):
        sample(made, lacking)


def test_cached_latents_are_never_taken_for_exact_ones(made, cached):
    assert sample(made, cached).order.compatibility != sample(made).order.compatibility


def test_families_with_hooks_are_those_that_diffusers_has_them_for():
    for name in names():
        family = find_family(name)
        net = getattr(family, "MODULES", {}).get(getattr(family, "DENOISER", ""))
        if family.FACTS.step_caches:
            assert issubclass(net, diffusers.models.cache_utils.CacheMixin), name


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("pyramid:interval=3", "must be like"),
        ("taylorseer:interval", "must be like"),
        ("taylorseer:threshold=3", "has no 'threshold'"),
        ("taylorseer:interval=1", "must be 2 to 16"),
        ("taylorseer:interval=2.5", "must be a number"),
        ("magcache:threshold=1.2.3", "must be a number"),
    ],
)
def test_what_means_nothing_is_refused(text, says):
    with pytest.raises(ValueError, match=says):
        parse(text)


def test_the_text_is_made_canonical():
    assert str(parse("taylorseer")) == "taylorseer:interval=5,order=1,warmup=3"
    assert parse("taylorseer:order=1,interval=5") == parse("taylorseer")


def test_a_level_cannot_skip_steps_and_work_within_them():
    level = {"name": "l", "variant": "v", "steps": 9, "quality": 1, "seconds": {"cpu": 1}}
    assert Level(**level, stepCache="taylorseer").step_cache
    with pytest.raises(ValueError, match="not where steps are skipped"):
        Level(**level, stepCache="taylorseer", skippedSteps=3)
