"""What was decided is logged for a sample of requests; prompts are, only where asked for."""

import logging

import pytest

from router_support import (
    ScriptedPredictor,
    ScriptedWorker,
    cluster_of,
    collect,
    predicting,
    staged,
)

pytestmark = pytest.mark.usefixtures("patient")


async def said(caplog, router, **fields):
    """The lines about decisions for one request, and its id."""
    worker, predictor = (
        ScriptedWorker("w0", "large"),
        ScriptedPredictor(best=1.0, good=0.9, quick=0.5),
    )
    worker.automatic = True
    with caplog.at_level(logging.INFO, "argus_router.decided"):
        async with (
            predicting(predictor) as address,
            staged(worker, cluster=cluster_of(router=router), predictor=address) as stage,
        ):
            await collect(stage.draw("secret words", **fields))
    return [r.getMessage() for r in caplog.records if r.name == "argus_router.decided"]


async def test_a_logged_decision_tells_levels_qualities_price_and_reason(caplog):
    (line,) = await said(caplog, {"loggedShare": 1}, tenant="acme")
    assert "tenant acme" in line
    assert "quality by v1: " in line
    assert "best 1.000" in line
    assert "best at a price of 0.0000" in line
    assert "not quick: " in line
    assert "secret" not in line


async def test_prompts_are_logged_where_asked_for(caplog):
    (line,) = await said(caplog, {"loggedShare": 1, "logPrompts": True})
    assert "prompt 'secret words'" in line


async def test_nothing_is_logged_of_those_that_are_not_in_the_sample(caplog):
    assert not await said(caplog, {"loggedShare": 0})
