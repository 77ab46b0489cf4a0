"""What the router makes of a predictor that does not take a prompt."""

import time

import pytest

from argus_core.errors import Exhausted, InvalidRequest
from argus_router import predict
from argus_router.predict import Predictor
from router_support import ScriptedPredictor, cluster_of, predicting


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """A busy machine may take long for an answer that is there in a millisecond otherwise."""
    monkeypatch.setattr(predict, "_PATIENCE", 10.0)


@pytest.mark.parametrize(
    ("error", "fallback"),
    [
        (Exhausted("too many wait", retry_after=0.1), "shed"),
        (InvalidRequest.one("prompt", "is not one"), "refused"),
    ],
)
async def test_predictor_that_does_not_take_a_prompt_is_asked_for_the_next(error, fallback):
    scripted = ScriptedPredictor(best=0.5, good=0.4, quick=0.3)
    async with predicting(scripted) as address:
        client = Predictor(cluster_of().spec, address, clock=time.monotonic)
        scripted.error = error
        refused = await client.predict("x", slack=1000)
        scripted.error = None
        taken = await client.predict("x", slack=1000)
        await client.close()
    assert refused.fallback == fallback
    assert refused.qualities == {"best": 1.0, "good": 0.9, "quick": 0.6}
    assert (taken.fallback, taken.qualities["best"]) == ("", 0.5)
