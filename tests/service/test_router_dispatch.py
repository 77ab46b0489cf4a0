"""The router over hand-driven workers: binding, loss, refusal, switching, cancelling."""

import asyncio

import grpc
import pytest

from argus_core.errors import ArgusError, DeadlineMissed, Exhausted, InvalidRequest, Unavailable
from argus_protos.v1 import images_pb2
from argus_router.request import Request
from argus_rpc.convert import duration, seconds
from argus_rpc.errors import from_rpc
from helpers import eventually
from router_support import (
    DRAINING,
    LONG,
    READY,
    ScriptedWorker,
    cluster_of,
    collect,
    kinds,
    staged,
)


async def failure(call) -> ArgusError:
    """The error that a call ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await collect(call)
    return from_rpc(caught.value)


async def begun(worker: ScriptedWorker, count: int = 1):
    """The worker's call number `count`, once it is there."""
    await eventually(lambda: len(worker.calls) >= count)
    return worker.calls[count - 1]


async def test_image_is_drawn_at_the_best_level_in_time_and_says_why():
    worker = ScriptedWorker("w0", "large", "tiny")
    async with staged(worker) as stage:
        call = stage.draw(seed=7, explain=True)
        execute = await begun(worker)
        execute.step(1)
        execute.finish()
        events = await collect(call)
    assert kinds(events) == ["accepted", "progress", "result"] or kinds(events) == [
        "accepted",
        "result",
    ]
    result = events[-1].result
    assert (result.decision.level, result.seed, result.worker, result.attempts) == (
        "best",
        7,
        "w0",
        1,
    )
    assert execute.request.schedule.steps == 20
    assert (execute.request.size.width, execute.request.size.height) == (32, 32)
    assert [option.level for option in result.decision.options] == ["best", "good", "quick"]
    assert result.decision.options[0].rejected == ""
    assert all(option.rejected for option in result.decision.options[1:])


async def test_request_that_is_gone_before_its_attempt_began_leaves_its_slot_free():
    worker = ScriptedWorker("w0", "large")
    async with staged(worker) as stage:
        events = stage.router.service.draw(Request(prompt="x"))
        await anext(events)
        await events.aclose()
        call = stage.draw()
        (await begun(worker)).finish()
        assert kinds(await collect(call))[-1] == "result"


async def test_options_stay_home_where_nobody_asked_for_them():
    worker = ScriptedWorker("w0", "tiny")
    worker.automatic = True
    async with staged(worker) as stage:
        events = await collect(stage.draw())
    assert not events[0].accepted.decision.options


@pytest.mark.parametrize(("seconds", "level"), [(60, "best"), (35, "good"), (18, "quick")])
async def test_short_deadline_goes_down_the_ladder(seconds, level):
    worker = ScriptedWorker("w0", "large", "tiny")
    worker.automatic = True
    async with staged(worker, cluster=cluster_of(seconds=LONG)) as stage:
        events = await collect(stage.draw(deadline=duration(seconds), timeout=None))
    assert events[0].accepted.decision.level == level


async def test_call_deadline_counts_where_the_request_names_none():
    worker = ScriptedWorker("w0", "large", "tiny")
    worker.automatic = True
    async with staged(worker, cluster=cluster_of(seconds=LONG)) as stage:
        events = await collect(stage.draw(timeout=35))
    assert events[0].accepted.decision.level == "good"


async def test_count_draws_several_images_with_rising_seeds():
    workers = ScriptedWorker("w0", "tiny"), ScriptedWorker("w1", "tiny")
    for worker in workers:
        worker.automatic = True
    async with staged(*workers) as stage:
        events = await collect(stage.draw(count=5, seed=40))
    results = {e.index: e.result.seed for e in events if e.WhichOneof("event") == "result"}
    assert results == {0: 40, 1: 41, 2: 42, 3: 43, 4: 44}
    assert len({e.accepted.request_id for e in events if e.HasField("accepted")}) == 1


async def test_previews_come_where_asked_for():
    worker = ScriptedWorker("w0", "tiny")
    async with staged(worker) as stage:
        call = stage.draw(preview_every_steps=2)
        execute = await begun(worker)
        execute.step(2, preview=True)
        accepted, progress = await call.read(), await call.read()
        execute.finish()
        await collect(call)
    assert accepted.HasField("accepted")
    assert execute.request.preview_every_steps == 2
    assert progress.progress.preview.data.startswith(b"\x89PNG")


@pytest.mark.parametrize("asked", [True, False])
async def test_who_asks_for_no_progress_hears_none_but_previews(asked):
    worker = ScriptedWorker("w0", "tiny")
    async with staged(worker) as stage:
        call = stage.draw(preview_every_steps=2, without_progress=not asked)
        execute = await begun(worker)
        accepted = await call.read()
        told = []
        for step in (1, 2):
            execute.step(step, preview=step == 2)
            if asked or step == 2:
                told.append((await call.read()).progress.step)
        execute.finish()
        rest = await collect(call)
    assert accepted.HasField("accepted")
    assert told == ([1, 2] if asked else [2])
    assert kinds(rest) == ["result"]
    # The worker tells as much as keeps it from being given up.
    assert execute.request.HasField("progress_interval") is not asked
    if not asked:
        assert 0 < seconds(execute.request.progress_interval) <= 5


async def test_request_is_bound_only_when_a_worker_is_free():
    worker = ScriptedWorker("w0", "tiny")
    async with staged(worker) as stage:
        first = stage.draw(seed=1)
        await begun(worker)
        second = stage.draw(seed=2)
        await eventually(lambda: stage.waiting == 1)
        assert len(worker.calls) == 1
        worker.calls[0].finish()
        (await begun(worker, 2)).finish()
        await collect(first)
        assert (await collect(second))[-1].result.seed == 2


async def test_nearest_deadline_goes_first_and_high_priority_before_it():
    worker = ScriptedWorker("w0", "tiny")
    async with staged(worker) as stage:
        calls = [stage.draw(seed=0)]
        await begun(worker)
        asks = [
            {"seed": 1, "deadline": duration(19)},
            {"seed": 2, "deadline": duration(9)},
            {"seed": 3, "deadline": duration(8), "priority": images_pb2.PRIORITY_LOW},
            {"seed": 4, "deadline": duration(19), "priority": images_pb2.PRIORITY_HIGH},
        ]
        for waiting, fields in enumerate(asks, start=1):
            calls.append(stage.draw(**fields))
            await eventually(lambda waiting=waiting: stage.waiting == waiting)
        worker.automatic = True
        worker.calls[0].finish()
        await asyncio.gather(*map(collect, calls))
    assert [call.request.seed for call in worker.calls] == [0, 4, 2, 1, 3]


async def test_busy_elsewhere_by_its_own_account_gets_nothing():
    worker = ScriptedWorker("w0", "tiny")
    worker.state.in_flight = 1
    async with staged(worker) as stage:
        call = stage.draw()
        await eventually(lambda: stage.waiting == 1)
        assert not worker.calls
        worker.automatic = True
        worker.report(in_flight=0)
        await collect(call)


async def test_dead_worker_requeues_to_another_within_the_deadline():
    first, second = ScriptedWorker("w0", "tiny"), ScriptedWorker("w1", "tiny")
    async with staged(first, second) as stage:
        call = stage.draw(seed=3)
        await eventually(lambda: first.calls or second.calls)
        dying, other = (first, second) if first.calls else (second, first)
        other.automatic = True
        await dying.die()
        result = (await collect(call))[-1].result
    assert (result.worker, result.attempts, result.seed) == (other.state.worker, 2, 3)


async def test_worker_that_comes_back_draws_what_it_lost():
    worker = ScriptedWorker("w0", "tiny")
    async with staged(worker) as stage:
        call = stage.draw()
        await begun(worker)
        await worker.die()
        await eventually(lambda: stage.waiting == 1)
        worker.automatic = True
        await worker.start(int(worker.address.rpartition(":")[2]))
        result = (await collect(call))[-1].result
    assert result.attempts == 2


async def test_attempts_are_limited_and_end_in_unavailable():
    worker = ScriptedWorker("w0", "tiny")
    async with staged(worker, cluster=cluster_of(router={"maxAttempts": 2})) as stage:
        call = stage.draw()
        for number in (1, 2):
            (await begun(worker, number)).fail(Unavailable("the engine died", retry_after=None))
        error = await failure(call)
        assert isinstance(error, Unavailable)
        assert "2 times" in str(error)
    assert len(worker.calls) == 2


async def test_lost_for_good_fails_within_its_deadline_with_unavailable():
    worker = ScriptedWorker("w0", "tiny")
    async with staged(worker) as stage:
        call = stage.draw(deadline=duration(1.0))
        await begun(worker)
        await worker.die()
        error = await failure(call)
    assert isinstance(error, Unavailable)


async def test_refusal_before_starting_is_no_attempt_and_does_not_spin():
    worker = ScriptedWorker("w0", "tiny")
    refused_enough = asyncio.Event()

    def refuse():
        if worker.refusals >= 4:
            refused_enough.set()
            return None
        return Unavailable("draining", retry_after=0.1)

    worker.refuse, worker.automatic = refuse, True
    async with staged(worker, cluster=cluster_of(router={"maxAttempts": 1})) as stage:
        began = asyncio.get_running_loop().time()
        result = (await collect(stage.draw()))[-1].result
        took = asyncio.get_running_loop().time() - began
    assert refused_enough.is_set()
    assert result.attempts == 1
    # Left alone for 20, 40, 80 and 160 ms: what paces the router is what is tested.
    assert took >= 0.28


async def test_not_held_sends_the_request_to_who_holds_it():
    lying, honest = ScriptedWorker("w0", "tiny"), ScriptedWorker("w1", "tiny")
    honest.automatic = True
    async with staged(lying, honest) as stage:
        lying.state.loadout[:] = ["large"]  # not reported yet
        results = [(await collect(stage.draw()))[-1].result for _ in range(3)]
    assert {(r.worker, r.attempts) for r in results} == {("w1", 1)}


async def test_refusal_of_the_request_itself_passes_unchanged_and_is_not_tried_again():
    worker = ScriptedWorker("w0", "tiny")
    async with staged(worker) as stage:
        call = stage.draw()
        refusal = InvalidRequest.one("size.width", "must be 32")
        (await begun(worker)).fail(refusal)
        error = await failure(call)
    assert isinstance(error, InvalidRequest)
    assert error.violations == refusal.violations
    assert len(worker.calls) == 1


async def test_size_reaches_a_worker_which_alone_knows_whether_it_can_be_drawn():
    worker = ScriptedWorker("w0", "large", "tiny")
    refusal = InvalidRequest.one("size.width", "must be 32")
    worker.refuse = lambda: refusal
    async with staged(worker) as stage:
        error = await failure(stage.draw(size={"width": 8192, "height": 8192}))
    assert isinstance(error, InvalidRequest)
    assert error.violations == refusal.violations


async def test_pixels_count_once_a_worker_has_begun_the_size():
    worker = ScriptedWorker("w0", "large", "tiny")
    size = {"width": 320, "height": 320}
    async with staged(worker) as stage:
        first = stage.draw(size=size)
        execute = await begun(worker)
        execute.step(1)
        assert (await first.read()).accepted.decision.level == "best"
        assert (await first.read()).HasField("progress")
        first.cancel()
        await eventually(lambda: execute.cancelled)
        worker.automatic = True
        # 100 times the pixels: 200 s at best and 100 s at good.
        second = await collect(stage.draw(size=size))
    assert second[-1].result.decision.level == "quick"


async def test_worker_out_of_memory_fails_that_request_only():
    worker = ScriptedWorker("w0", "tiny")
    async with staged(worker) as stage:
        call = stage.draw()
        (await begun(worker)).fail(Exhausted("does not fit"))
        assert isinstance(await failure(call), Exhausted)
        worker.automatic = True
        assert kinds(await collect(stage.draw()))[-1] == "result"


async def test_client_that_goes_cancels_at_the_worker():
    worker = ScriptedWorker("w0", "tiny")
    async with staged(worker) as stage:
        running, waiting = stage.draw(), None
        execute = await begun(worker)
        waiting = stage.draw()
        await eventually(lambda: stage.waiting == 1)
        waiting.cancel()
        await eventually(lambda: stage.waiting == 0)
        running.cancel()
        await eventually(lambda: execute.cancelled)
        assert len(worker.calls) == 1


async def test_deadline_over_while_waiting_is_deadline_missed():
    worker = ScriptedWorker("w0", "tiny")
    async with staged(worker) as stage:
        first = stage.draw()
        await begun(worker)
        error = await failure(stage.draw(deadline=duration(1)))
        assert isinstance(error, DeadlineMissed)
        worker.calls[0].finish()
        await collect(first)
    assert len(worker.calls) == 1


async def test_deadline_over_while_drawing_is_deadline_missed_and_cancels():
    worker = ScriptedWorker("w0", "tiny")
    async with staged(worker) as stage:
        call = stage.draw(deadline=duration(1))
        execute = await begun(worker)
        assert isinstance(await failure(call), DeadlineMissed)
        await eventually(lambda: execute.cancelled)


async def test_overload_degrades_first_and_then_refuses_with_an_honest_retry():
    big, small = ScriptedWorker("w0", "large"), ScriptedWorker("w1", "tiny")
    async with staged(big, small, cluster=cluster_of(seconds=LONG)) as stage:
        calls, levels = [], []
        error = None
        for _ in range(40):
            call = stage.draw(deadline=duration(50), timeout=None)
            try:
                levels.append((await call.read()).accepted.decision.level)
                calls.append(call)
            except grpc.aio.AioRpcError as caught:
                error = from_rpc(caught)
                break
        for call in calls:
            call.cancel()
    assert levels[:2] == ["best", "quick"]
    assert levels.count("quick") > 10
    assert isinstance(error, Exhausted)
    assert 0.04 < error.retry_after < 50


async def test_queue_is_bounded():
    worker = ScriptedWorker("w0", "tiny")
    async with staged(worker, cluster=cluster_of(router={"maxQueued": 3})) as stage:
        calls = [stage.draw()]
        await begun(worker)
        calls.append(stage.draw(count=3))
        await eventually(lambda: stage.waiting == 3)
        error = await failure(stage.draw())
        assert isinstance(error, Exhausted)
        assert error.retry_after > 0
        for call in calls:
            call.cancel()


async def test_request_with_more_images_than_fit_takes_no_place():
    worker = ScriptedWorker("w0", "tiny")
    async with staged(worker, cluster=cluster_of(router={"maxQueued": 3})) as stage:
        assert isinstance(await failure(stage.draw(count=4)), Exhausted)
        assert stage.waiting == 0
        assert not worker.calls


async def test_pinned_request_waits_until_a_worker_holds_its_variant():
    worker = ScriptedWorker("w0", "tiny")
    worker.automatic = True
    async with staged(worker) as stage:
        call = stage.draw(level="best")
        await eventually(lambda: stage.waiting == 1)
        worker.report(loadout=["large"])
        events = await collect(call)
    assert events[-1].result.decision.level == "best"


async def test_pinned_request_that_is_never_held_misses_its_deadline():
    worker = ScriptedWorker("w0", "tiny")
    async with staged(worker) as stage:
        error = await failure(stage.draw(level="best", deadline=duration(0.4)))
    assert isinstance(error, DeadlineMissed)


async def test_unpinned_request_is_decided_anew_when_its_variant_vanishes():
    worker = ScriptedWorker("w0", "large")
    async with staged(worker) as stage:
        first = stage.draw()
        await begun(worker)
        second = stage.draw()
        accepted = await second.read()
        assert accepted.accepted.decision.level == "best"
        worker.report(phase=DRAINING)
        worker.calls[0].finish()
        await collect(first)
        worker.automatic = True
        worker.report(phase=READY, loadout=["tiny"])
        result = (await collect(second))[-1].result
    assert result.decision.level == "quick"


async def test_request_that_comes_while_all_workers_switch_waits_for_them():
    worker = ScriptedWorker("w0", "large")
    worker.state.phase = DRAINING
    worker.automatic = True
    async with staged(worker) as stage:
        call = stage.draw()
        await eventually(lambda: stage.waiting == 1)
        worker.report(phase=READY)
        assert kinds(await collect(call))[0] == "accepted"


async def test_worker_added_to_the_roster_is_used_and_one_taken_off_finishes():
    old, new = ScriptedWorker("w0", "tiny"), ScriptedWorker("w1", "tiny")
    async with staged(old) as stage:
        first = stage.draw()
        execute = await begun(old)
        await new.start()
        new.automatic = True
        stage.roster.put_nowait(frozenset([new.address]))
        result = (await collect(stage.draw()))[-1].result
        assert result.worker == "w1"
        execute.finish()
        assert (await collect(first))[-1].result.worker == "w0"
        await new.die()


async def test_no_level_reaches_the_minimum_quality():
    worker = ScriptedWorker("w0", "tiny")
    async with staged(worker, cluster=cluster_of()) as stage:
        call = stage.draw(minimum_quality=0.95)
        # `best` would do, but no worker holds it: it may yet.
        await eventually(lambda: stage.waiting == 1)
        worker.automatic = True
        worker.report(loadout=["large"])
        assert (await collect(call))[-1].result.decision.level == "best"


async def test_draining_router_finishes_what_it_took_and_refuses_the_rest():
    worker = ScriptedWorker("w0", "tiny")
    async with staged(worker) as stage:
        call = stage.draw()
        execute = await begun(worker)
        stopping = asyncio.create_task(stage.router.stop(grace=10))
        await eventually(lambda: stage.router.service.draining)
        assert isinstance(await failure(stage.draw()), Unavailable)
        async with stage.session.get("/readyz") as answer:
            assert answer.status == 503
        execute.finish()
        assert kinds(await collect(call))[-1] == "result"
        await stopping


async def test_drain_that_outlasts_its_grace_fails_what_is_left_with_unavailable():
    worker = ScriptedWorker("w0", "tiny")
    async with staged(worker) as stage:
        call = stage.draw()
        execute = await begun(worker)
        await asyncio.gather(stage.router.stop(grace=0.1), _expect_unavailable(call))
        await eventually(lambda: execute.cancelled)


async def _expect_unavailable(call):
    assert isinstance(await failure(call), Unavailable)
