"""Mutual TLS between routers, workers, the predictor and who controls them, over real gRPC."""

import asyncio
from contextlib import asynccontextmanager

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from argus_cli.profile.crew import Given, Remotes
from argus_client import workers
from argus_core.errors import InvalidRequest, Unavailable
from argus_protos.v1 import worker_pb2
from argus_protos.v1.worker_pb2_grpc import WorkerServiceStub
from argus_router import fleet
from argus_rpc import fresh
from argus_rpc.channel import open_channel
from argus_rpc.handshake import meaning_of
from argus_rpc.meanwhile import under_way
from argus_rpc.peers import Peers, host_of, peers_of
from argus_rpc.server import Server
from control_support import ObedientWorker
from helpers import eventually
from router_support import ScriptedPredictor, ScriptedWorker, collect, kinds, predicting, staged
from security_support import Authority, write

HOST = host_of("test", "default")


@pytest.fixture(autouse=True)
def _look_at_once(monkeypatch):
    monkeypatch.setattr(fresh, "EVERY", 0.0)


def peers(folder, authority=None, name=HOST):
    """Those of an authority, by files in the folder, which replace what is there."""
    (authority or Authority()).secret(folder, name)
    return Peers(folder, HOST)


def drawer(name, known=None, *variants):
    found = ScriptedWorker(name, *(variants or ("tiny",)))
    found.automatic, found.peers = True, known
    return found


def port_of(worker):
    return int(worker.address.rpartition(":")[2])


async def why_not(address, known):
    """What keeps one with these peers from hearing a worker; empty where it hears it."""
    try:
        async with asyncio.timeout(60):
            async for _ in workers.watch(address, known):
                return ""
    except Unavailable as error:
        return str(error)


@asynccontextmanager
async def listening(worker):
    await worker.start()
    try:
        yield worker
    finally:
        await worker.die()


async def test_a_prompt_is_drawn_and_its_quality_asked_for_over_mutual_tls(tmp_path):
    known, predictor = peers(tmp_path), ScriptedPredictor(best=1.0, good=0.9, quick=0.5)
    async with (
        predicting(predictor, peers=known) as address,
        staged(drawer("w0", known), predictor=address, peers=known) as stage,
    ):
        # A predictor that was slow to shake hands is asked again a second later.
        async def asked():
            assert kinds(await collect(stage.draw()))[-1] == "result"
            return predictor.asked

        await eventually(asked)


async def test_who_shows_nothing_or_is_of_another_authority_is_refused_and_told_why(tmp_path):
    mine = Authority()
    known, foreign = peers(tmp_path / "a", mine), peers(tmp_path / "b")
    named = peers(tmp_path / "c", mine, "somebody.else.svc")
    async with listening(drawer("w0", known)) as worker:
        assert await why_not(worker.address, known) == ""
        told = await why_not(worker.address, foreign)
        assert "not of an authority that is trusted here" in told
        assert "CERTIFICATE_VERIFY_FAILED" in told[:300]  # As much as a condition tells.
        assert "it may want TLS" in await why_not(worker.address, None)
        # It trusts the worker, and is not trusted.
        write(tmp_path / "b/ca.crt", mine.pem)
        assert "(its ca.crt)" in await why_not(worker.address, foreign)
        # A server of the authority's that has another name is not the worker.
        worker.peers, port = named, port_of(worker)
        await worker.die()
        await worker.start(port)
        told = await why_not(worker.address, known)
        assert "NAME-internal.NAMESPACE.svc for spec.internalTls" in told
    async with listening(drawer("w0")) as worker:
        assert "does not speak TLS" in await why_not(worker.address, known)


@pytest.mark.parametrize("asks", [True, False])
async def test_a_router_says_once_which_worker_it_cannot_speak_with_and_why(
    tmp_path, asks, caplog, monkeypatch
):
    tried = []

    def meaning(details):
        tried.append(details)
        return meaning_of(details)

    monkeypatch.setattr(fleet, "meaning_of", meaning)
    worker = drawer("w0", peers(tmp_path / "a") if asks else None)
    async with staged(worker, peers=peers(tmp_path / "b"), ready=False) as stage:
        # It goes on trying, and does not repeat itself.
        await eventually(lambda: len(tried) > 3)
        words = "not of an authority" if asks else "does not speak TLS"
        said = [m for m in caplog.messages if words in m]
        assert len(said) == 1
        assert worker.address in said[0]
        (found,) = stage.router.dispatcher.fleet
        assert not found.ready


async def test_certificates_and_their_authority_change_while_requests_flow_and_none_is_lost(
    tmp_path,
):
    known = peers(tmp_path)
    two, ended = [drawer("w0", known), drawer("w1", known)], []

    async def ask(stage):
        while True:
            ended.append(kinds(await collect(stage.draw()))[-1])
            await asyncio.sleep(0.005)

    async with (
        staged(*two, peers=known) as stage,
        under_way(ask(stage), ask(stage)),
    ):
        await eventually(lambda: len(ended) > 10)
        # All is of another authority from here on: who stands keeps its connection.
        peers(tmp_path)
        for worker in two:
            before = len(ended)
            await eventually(lambda before=before: len(ended) > before + 10)
            port = port_of(worker)
            await worker.die()
            await worker.start(port)
            await stage.knows(worker)
            before = len(worker.calls)
            await eventually(lambda w=worker, before=before: len(w.calls) > before)
    assert set(ended) == {"result"}


async def test_a_predictor_that_comes_back_of_another_authority_is_asked_again(tmp_path):
    known, predictor = peers(tmp_path), ScriptedPredictor(best=1.0, good=0.9, quick=0.5)
    async with staged_predicting(known, predictor) as (stage, again):

        async def asked():
            before = len(predictor.asked)
            assert kinds(await collect(stage.draw()))[-1] == "result"
            return len(predictor.asked) > before

        await eventually(asked)
        peers(tmp_path)
        async with again():
            await eventually(asked)


@asynccontextmanager
async def staged_predicting(known, predictor):
    """A router and its predictor, and a way to have that begin anew at the same address."""
    first = predicting(predictor, peers=known)
    address = await first.__aenter__()
    worker = drawer("w0", known)

    @asynccontextmanager
    async def again():
        await first.__aexit__(None, None, None)
        async with predicting(predictor, peers=known, port=int(address.rpartition(":")[2])):
            yield

    async with staged(worker, predictor=address, peers=known) as stage:
        yield stage, again


async def test_files_that_make_no_sense_leave_what_was_read_in_force_and_that_is_said(
    tmp_path, caplog
):
    known = peers(tmp_path)
    async with listening(drawer("w0", known)) as worker:
        assert await why_not(worker.address, known) == ""
        (tmp_path / "tls.key").write_bytes(b"half of it")
        assert await why_not(worker.address, known) == ""
        assert any("what was read before stays in force" in m for m in caplog.messages)


def test_a_folder_that_lacks_a_file_or_has_a_spoilt_one_is_refused_at_the_start(tmp_path):
    Authority().secret(tmp_path, HOST)
    assert peers_of(None, "test", "default") is None
    assert peers_of(tmp_path, "test", "default").name == "test-internal.default.svc"
    write(tmp_path / "ca.crt", b"nonsense")
    with pytest.raises(InvalidRequest, match=r"ca\.crt"):
        peers_of(tmp_path, "test", "default")
    (tmp_path / "ca.crt").unlink()
    with pytest.raises(InvalidRequest, match=r"--internal-tls.*has no ca\.crt"):
        peers_of(tmp_path, "test", "default")


async def test_a_worker_is_told_what_to_hold_over_mutual_tls(tmp_path):
    worker = ObedientWorker("w0", "tiny")
    worker.peers = peers(tmp_path)
    async with listening(worker):
        state = await workers.assign_and_wait(worker.address, ["large"], peers=worker.peers)
        await workers.expect(worker.address, ["tiny"], peers=worker.peers)
    assert [*state.loadout] == ["large"]
    assert worker.expected == [("tiny",)]


async def test_workers_that_ask_for_certificates_are_profiled_with_one(tmp_path):
    async with listening(drawer("w0", peers(tmp_path))) as worker:
        remotes = Remotes(Given([worker.address], worker.peers))
        try:
            remote = await remotes.of(worker.address)
            assert (await remote.state()).worker == "w0"
            assert await remote.score("shapes", "a red circle", []) == []
        finally:
            await remotes.close()


async def test_who_probes_needs_no_certificate_and_is_told_of_health_alone(tmp_path):
    server = Server(
        address="127.0.0.1:0",
        servicers=[],
        services=["argus.v1.WorkerService"],
        credentials=peers(tmp_path).asked(),
        probe="127.0.0.1:0",
    )
    await server.start()
    try:
        async with open_channel(f"127.0.0.1:{server.probe_port}") as channel:
            health = health_pb2_grpc.HealthStub(channel)
            for serving, status in ((False, 2), (True, 1)):
                await server.set_serving(serving)
                answer = await health.Check(health_pb2.HealthCheckRequest(), timeout=30)
                assert answer.status == status
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await WorkerServiceStub(channel).Assign(worker_pb2.AssignRequest(), timeout=30)
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    finally:
        await server.stop(0)
