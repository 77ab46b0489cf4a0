"""What an image is told of latents: how often its prompt is expected to be of use to others."""

import pytest

from argus_router.answer import Prediction
from argus_router.crew import Crew
from argus_router.latents import Latents
from argus_router.request import Request, agree
from router_support import EMBEDDING, cluster_of

PREDICTION = Prediction(
    qualities={"best": 1.0, "begun": 0.9, "good": 0.8, "quick": 0.6},
    captures={"best": (10,)},
    embedding=EMBEDDING,
    encoder="scripted",
)


@pytest.fixture
def uses():
    """Times that a request's prompt is expected to come again, as the router reckons."""
    cluster = cluster_of(store={})
    latents = Latents(cluster.spec, lambda: Crew([]))

    def asked(prompt, index=0, **fields):
        terms = agree(Request(prompt=prompt, **fields), cluster, call_deadline=None)
        keeping = latents.of(terms, PREDICTION, index).get("keeping")
        return keeping and keeping.uses

    return asked


def test_a_prompt_that_keeps_coming_is_expected_again(uses):
    told = [uses("the same") for _ in range(30)]
    assert told[0] == 0.0
    assert told[-1] > 1.0


def test_tenants_do_not_make_each_others_prompts_expected(uses):
    for n in range(20):
        uses("the same", tenant="one")
        uses(f"new {n}", tenant="one")
    assert uses("the same", tenant="two") < uses("the same", tenant="one")


def test_requests_that_cannot_begin_from_latents_are_no_prospect(uses):
    for _ in range(20):
        assert uses("the same", seed=7) == 0.0
    assert uses("the same") == 0.0


def test_only_the_first_image_of_a_request_is_kept(uses):
    assert uses("the same", index=1) is None
