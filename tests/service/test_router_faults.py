"""The router over workers that fail: hang, die, refuse, come back; and prompts that kill them."""

import asyncio

import grpc
import pytest

from argus_core.errors import ArgusError, Exhausted, Unavailable
from argus_protos.v1 import control_pb2
from argus_rpc.convert import duration
from argus_rpc.errors import from_rpc
from helpers import eventually
from router_support import DRAINING, READY, ScriptedWorker, cluster_of, collect, staged

CALM = {"hangFactor": 1.0, "hangFloorSeconds": 60, "ejectSeconds": 60, "hedge": False}
"""Nobody is given up for silence, and who is ejected stays so: a busy machine is slow, too."""
HANGS = {"hangFloorSeconds": 0.5}
"""Of a worker that is to be given up, and of one that is not though it takes longer in all."""
DEAD = Unavailable("the engine died", retry_after=None)


def cluster(*, router=None, **faults):
    return cluster_of(router={"faults": {**CALM, **faults}, **(router or {})})


async def status(call) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await collect(call)
    return caught.value.code(), caught.value.details()


async def happened(stage, kind) -> float:
    return await stage.metric(f'argus_router_faults_total{{kind="{kind}"}}')


async def who(*workers):
    """The worker that was asked first, and the others."""
    await eventually(lambda: any(worker.calls for worker in workers))
    first = next(worker for worker in workers if worker.calls)
    return first, [worker for worker in workers if worker is not first]


async def test_worker_that_hangs_is_given_up_and_another_draws_within_the_deadline():
    workers = ScriptedWorker("w0", "tiny"), ScriptedWorker("w1", "tiny")
    async with staged(*workers, cluster=cluster(**HANGS)) as stage:
        call = stage.draw(seed=3)
        hung, (other,) = await who(*workers)
        other.automatic = True
        result = (await collect(call))[-1].result
        assert hung.calls[0].cancelled
        assert (result.worker, result.attempts, result.seed) == (other.state.worker, 2, 3)
        assert await happened(stage, "hung") == 1
        # Though it says that it is ready, it is asked for nothing for a while.
        assert await happened(stage, "ejected") == 1
        await asyncio.gather(*(collect(stage.draw(seed=n)) for n in range(5)))
        assert len(hung.calls) == 1


async def test_worker_that_goes_on_step_by_step_is_not_given_up_however_slow():
    worker = ScriptedWorker("w0", "tiny")
    async with staged(worker, cluster=cluster(**HANGS)) as stage:
        call = stage.draw()
        (run,) = await eventually(lambda: worker.calls)
        for step in range(1, 5):
            before = asyncio.get_running_loop().time()
            await eventually(lambda at=before: asyncio.get_running_loop().time() > at + 0.2)
            run.step(step)
        run.finish()
        assert (await collect(call))[-1].result.attempts == 1


async def test_worker_that_hangs_before_it_says_anything_is_given_up_too():
    worker = ScriptedWorker("w0", "tiny")
    async with staged(worker, cluster=cluster(router={"maxAttempts": 2}, **HANGS)) as stage:
        code, message = await status(stage.draw())
    assert code == grpc.StatusCode.UNAVAILABLE
    assert "2 times" in message
    assert "nothing was heard" in message


async def test_prompt_that_kills_workers_is_refused_before_it_kills_them_all():
    workers = [ScriptedWorker(f"w{n}", "tiny") for n in range(4)]
    killed = []
    async with staged(*workers, cluster=cluster()) as stage:
        call = stage.draw("poison")
        for _ in range(2):
            await eventually(lambda: any(w.calls for w in workers if w not in killed))
            victim = next(w for w in workers if w.calls and w not in killed)
            killed.append(victim)
            await victim.die()
        code, message = await status(call)
        assert code == grpc.StatusCode.FAILED_PRECONDITION
        assert "different workers" in message
        assert (await status(stage.draw("poison", seed=5)))[0] == code
        async with stage.session.post(
            "/v1/images/generations", json={"prompt": "poison"}
        ) as answer:
            assert answer.status == 400
            assert (await answer.json())["error"]["code"] == "failed_precondition"
        for worker in workers:
            worker.automatic = True
        assert (await collect(stage.draw("a red circle")))[-1].result.attempts == 1
        assert await happened(stage, "quarantined") == 1
        assert await happened(stage, "refused") == 2
    assert sum(bool(worker.calls) for worker in workers) <= 3


async def test_copies_of_a_poison_that_wait_are_refused_with_it():
    workers = [ScriptedWorker(f"w{n}", "tiny") for n in range(2)]
    async with staged(*workers, cluster=cluster()) as stage:
        calls = [stage.draw("poison", seed=n) for n in range(4)]
        await eventually(lambda: all(worker.calls for worker in workers))
        await eventually(lambda: stage.waiting == 2)
        innocent = stage.draw("a red circle")
        await eventually(lambda: stage.waiting == 3)
        for worker in workers:
            worker.calls[0].fail(DEAD)
        codes = {(await status(call))[0] for call in calls}
        assert codes == {grpc.StatusCode.FAILED_PRECONDITION}
        # It may be with a worker by now, or not yet.
        for worker in workers:
            worker.automatic = True
            for drawing in worker.calls[1:]:
                drawing.finish()
        assert (await collect(innocent))[-1].HasField("result")


async def test_prompt_that_is_drawn_at_the_second_try_was_not_to_blame():
    workers = [ScriptedWorker(f"w{n}", "tiny") for n in range(3)]
    async with staged(*workers, cluster=cluster()) as stage:
        for _ in range(3):
            call = stage.draw("a red circle")
            await eventually(lambda: any(worker.live for worker in workers))
            victim = next(worker for worker in workers if worker.live)
            for worker in workers:
                worker.automatic = True
            victim.live[-1].fail(DEAD)
            assert (await collect(call))[-1].result.attempts == 2
            for worker in workers:
                worker.automatic = False
                worker.calls.clear()
        assert await happened(stage, "quarantined") == 0


async def test_worker_that_fails_in_a_row_is_ejected_and_brought_back():
    bad, good = ScriptedWorker("w0", "tiny"), ScriptedWorker("w1", "tiny")
    bad.refuse, good.automatic = lambda: DEAD, True
    async with staged(bad, good, cluster=cluster(ejectAfter=2, ejectSeconds=2)) as stage:
        for _ in range(2):
            calls = [collect(stage.draw(f"number {n}")) for n in range(6)]
            assert {e[-1].result.worker for e in await asyncio.gather(*calls)} == {"w1"}
        assert bad.refusals == 2
        assert await stage.metric('argus_router_workers{state="ejected"}') == 1
        bad.refuse, bad.automatic = lambda: None, True
        await eventually(lambda: happened(stage, "returned"))
        await asyncio.gather(*(collect(stage.draw(f"again {n}")) for n in range(6)))
        assert bad.calls


async def test_the_only_worker_is_never_ejected():
    worker = ScriptedWorker("w0", "tiny")
    async with staged(worker, cluster=cluster(ejectAfter=1, quarantineLosses=9)) as stage:
        call = stage.draw()
        for number in (1, 2):
            await eventually(lambda number=number: len(worker.calls) == number)
            worker.calls[-1].fail(DEAD)
        worker.automatic = True
        assert (await collect(call))[-1].result.attempts == 3
        assert await happened(stage, "ejected") == 0


async def test_worker_draws_one_image_alone_after_a_switch():
    worker = ScriptedWorker("w0", "tiny", slots=4)
    async with staged(worker, cluster=cluster()) as stage:
        calls = [asyncio.create_task(collect(stage.draw(f"number {n}"))) for n in range(6)]
        await eventually(lambda: stage.waiting == 5)
        assert len(worker.calls) == 1
        worker.calls[0].finish()
        await eventually(lambda: len(worker.calls) == 5)
        worker.report(phase=DRAINING)
        for call in worker.calls[1:]:
            call.finish()
        await eventually(lambda: sum(call.done() for call in calls) == 5)
        worker.calls.clear()
        calls += [asyncio.create_task(collect(stage.draw(f"more {n}"))) for n in range(3)]
        await eventually(lambda: stage.waiting == 4)
        worker.report(phase=READY, generation=7)
        await eventually(lambda: worker.calls)
        assert (len(worker.calls), stage.waiting) == (1, 3)
        worker.automatic = True
        worker.calls[0].finish()
        await asyncio.gather(*calls)


async def test_late_image_is_drawn_again_where_that_pays_and_delivered_once():
    workers = ScriptedWorker("w0", "tiny"), ScriptedWorker("w1", "tiny")
    async with staged(*workers, cluster=cluster(hedge=True)) as stage:
        call = stage.draw(seed=9, deadline=duration(5.0))
        late, (other,) = await who(*workers)
        other.automatic = True
        events = await collect(call)
        assert [e.WhichOneof("event") for e in events].count("result") == 1
        result = events[-1].result
        assert (result.worker, result.seed, result.attempts) == (other.state.worker, 9, 2)
        await eventually(lambda: late.calls[0].cancelled)
        assert await happened(stage, "hedged") == 1
        assert await happened(stage, "hedge_won") == 1
        await eventually(lambda: stage.running == 0)


async def test_first_that_comes_after_all_ends_the_second():
    workers = ScriptedWorker("w0", "tiny"), ScriptedWorker("w1", "tiny")
    async with staged(*workers, cluster=cluster(hedge=True)) as stage:
        call = stage.draw(deadline=duration(5.0))
        late, (other,) = await who(*workers)
        await eventually(lambda: other.calls)
        late.calls[0].step(3)
        assert (await call.read()).HasField("accepted")
        assert (await call.read()).progress.step == 3
        for step in range(1, 4):
            other.calls[0].step(step)
        late.calls[0].step(4)
        late.calls[0].finish()
        events = await collect(call)
        result = events[-1].result
        assert result.worker == late.state.worker
        assert [e.progress.step for e in events if e.HasField("progress")] in ([4], [])
        await eventually(lambda: other.calls[0].cancelled)
        assert await happened(stage, "hedge_won") == 0


async def test_client_that_goes_cancels_both():
    workers = ScriptedWorker("w0", "tiny"), ScriptedWorker("w1", "tiny")
    async with staged(*workers, cluster=cluster(hedge=True)) as stage:
        call = stage.draw(deadline=duration(5.0))
        await eventually(lambda: all(worker.calls for worker in workers))
        call.cancel()
        await eventually(lambda: all(worker.calls[0].cancelled for worker in workers))


async def test_nothing_is_drawn_twice_while_others_wait():
    workers = ScriptedWorker("w0", "tiny"), ScriptedWorker("w1", "large")
    async with staged(*workers, cluster=cluster(hedge=True)) as stage:
        calls = [stage.draw(level="quick", deadline=duration(3.0)) for _ in range(2)]
        await eventually(lambda: stage.waiting == 1)
        codes = {(await status(call))[0] for call in calls}
        assert codes == {grpc.StatusCode.DEADLINE_EXCEEDED}
        assert not workers[1].calls
        assert await happened(stage, "hedged") == 0


async def test_noisy_tenant_pushes_nobody_else_out():
    worker = ScriptedWorker("w0", "tiny")
    async with staged(worker, cluster=cluster_of(router={"maxQueued": 8})) as stage:
        noisy = [stage.draw(f"n{n}", tenant="noisy") for n in range(30)]
        quiet = stage.draw("q0", tenant="quiet")
        await eventually(lambda: worker.calls and stage.waiting >= 8)
        await eventually(lambda: "quiet" in stage.router.dispatcher.queues.tenants)
        worker.automatic = True
        worker.calls[0].finish()
        result = (await collect(quiet))[-1].result
        assert result.attempts == 1
        ends = await asyncio.gather(*map(collect, noisy), return_exceptions=True)
        errors = [from_rpc(end) for end in ends if isinstance(end, grpc.aio.AioRpcError)]
        assert all(isinstance(error, Exhausted) for error in errors)
        assert len(errors) < len(noisy)
        drawn = [call.request.prompt for call in worker.calls]
        assert drawn.index("q0") <= 2


async def test_quota_refuses_at_once_and_says_when_to_come_again():
    worker = ScriptedWorker("w0", "tiny")
    worker.automatic = True
    named = [{"name": "small", "maxImagesPerSecond": 0.1}]
    async with staged(worker, cluster=cluster_of(tenants=named)) as stage:
        await collect(stage.draw(tenant="small"))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await collect(stage.draw(tenant="small"))
        error = from_rpc(caught.value)
        assert isinstance(error, Exhausted)
        assert 5 < error.retry_after <= 10
        await collect(stage.draw(tenant="another"))
        images = "argus_router_tenant_images_total"
        assert await stage.metric(f'{images}{{outcome="ok",tenant="small"}}') == 1
        assert await stage.metric(f'{images}{{outcome="refused",tenant="small"}}') == 1
        assert await stage.metric(f'{images}{{outcome="ok",tenant="other"}}') == 1


async def test_parts_that_come_and_go_are_told_once(caplog, monkeypatch):
    monkeypatch.setattr("argus_router.control._ABSENCE", 0.01)
    worker = ScriptedWorker("w0", "tiny")
    caplog.set_level("INFO")
    async with staged(worker) as stage:
        for _ in range(2):
            watch = stage.control.WatchLoad(control_pb2.WatchLoadRequest())
            await watch.read()
            assert await stage.metric('argus_router_part_up{part="control"}') == 1
            watch.cancel()
            await eventually(lambda: "control loop is gone" in caplog.text)
            caplog.clear()
        changes = "argus_router_part_changes_total"
        assert await stage.metric(f'{changes}{{part="control",to="down"}}') == 2


async def test_who_only_looks_on_is_no_control_loop():
    async with staged(ScriptedWorker("w0", "tiny")) as stage:
        watch = stage.control.WatchLoad(control_pb2.WatchLoadRequest(observing=True))
        assert (await watch.read()).HasField("report")
        assert await stage.metric('argus_router_part_up{part="control"}') == 0
        watch.cancel()


async def test_every_error_is_one_of_ours_when_workers_die_at_random():
    workers = [ScriptedWorker(f"w{n}", "tiny") for n in range(3)]
    for worker in workers:
        worker.automatic, worker.seconds = True, 0.05
    cut = cluster(quarantineLosses=9, ejectAfter=9)
    async with staged(*workers, cluster=cut) as stage:
        calls = [asyncio.create_task(collect(stage.draw(f"p{n}"))) for n in range(30)]
        for worker in workers[:2]:
            await eventually(lambda worker=worker: worker.calls)
            await worker.die()
        ends = await asyncio.gather(*calls, return_exceptions=True)
    for end in ends:
        if isinstance(end, grpc.aio.AioRpcError):
            assert isinstance(from_rpc(end), ArgusError)
        else:
            assert [e.WhichOneof("event") for e in end].count("result") == 1
    assert sum(isinstance(end, list) for end in ends) >= 25
