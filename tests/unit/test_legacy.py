"""What an image leaves behind is worth what later requests gain by it, and no more."""

import pytest

from argus_core.choice import Ask, Candidate, PricePolicy
from argus_core.legacy import with_legacy
from argus_core.spec import Level


def candidate(name, quality, seconds, *, variant="large", skipped=0, price=1.0, start=False):
    level = Level(
        name=name, variant=variant, steps=20, skipped_steps=skipped, quality=quality,
        seconds={"any": seconds},
    )  # fmt: skip
    return Candidate(
        level=level, quality=quality, wait=0.0, seconds=seconds, fresh=True, price=price,
        has_start=start,
    )  # fmt: skip


def ladder(*, price=1.0, start=False):
    """In full 0.6 is left of 1.0, cheaply 0.7 of 0.8, and begun from a latent 0.9 of 1.0."""
    return [
        candidate("full", 1.0, 0.4, price=price),
        candidate("begun", 0.5, 0.1, skipped=15, price=price, start=start),
        candidate("cheap", 0.8, 0.1, variant="small", price=price),
    ]


KEPT = {"full": (15,)}


def by_name(candidates):
    return {c.level.name: c for c in candidates}


def test_what_keeps_latents_is_worth_besides_what_repeats_gain():
    found = by_name(with_legacy(ladder(), uses=2.0, kept=KEPT))
    # Next time it would be worth 1.0 - 0.1 from the latent, and 0.8 - 0.1 without.
    assert found["full"].legacy == pytest.approx(2 * 0.2)
    assert found["cheap"].legacy == 0.0
    assert found["full"].worth == pytest.approx(0.6 + 0.4)


def test_a_prompt_that_will_come_again_is_drawn_in_full_and_another_is_not():
    policy, ask = PricePolicy(), Ask(remaining=10.0)
    once = policy.choose(ask, with_legacy(ladder(), uses=0.0, kept=KEPT))
    often = policy.choose(ask, with_legacy(ladder(), uses=2.0, kept=KEPT))
    assert (once.level.name, often.level.name) == ("cheap", "full")
    assert "for its latents" in often.reason
    assert often.worth == pytest.approx(1.0)


def test_nothing_is_left_behind_where_seconds_cost_nothing():
    found = by_name(with_legacy(ladder(price=0.0), uses=5.0, kept=KEPT))
    assert found["full"].legacy == 0.0


def test_nothing_is_left_behind_where_nothing_is_kept():
    assert with_legacy(ladder(), uses=5.0, kept={}) == ladder()


def test_a_latent_of_another_path_is_of_no_use():
    found = by_name(with_legacy(ladder(), uses=5.0, kept={"cheap": (15,)}))
    assert found["cheap"].legacy == 0.0


def test_what_has_a_latent_to_begin_from_gains_nothing_more_by_another():
    # Worth 0.4 as predicted of the latent at hand; a latent of its own would be worth 0.9.
    near = by_name(with_legacy(ladder(start=True), uses=1.0, kept=KEPT))
    assert near["full"].legacy == pytest.approx(0.9 - 0.7)


def test_quality_below_the_minimum_is_not_made_good_by_what_it_leaves():
    ask = Ask(remaining=10.0, minimum_quality=0.9)
    poor = [
        candidate("full", 0.85, 0.4),
        candidate("begun", 0.5, 0.1, skipped=15),
        candidate("best", 0.95, 0.9, variant="huge"),
    ]
    assert PricePolicy().choose(ask, with_legacy(poor, uses=9.0, kept=KEPT)).level.name == "best"
