"""Commands against a router that wants certificates and API keys."""

import asyncio

import pytest
from typer.testing import CliRunner

from argus_cli.main import app
from argus_protos.v1 import cluster_pb2, control_pb2
from argus_rpc.keys import CONTROL, line, new_key
from argus_rpc.tls import TlsFiles
from helpers import eventually
from router_support import ScriptedWorker
from security_support import Authority, Client, guarded, stubs, write

SHOP, LOOKER = new_key(), new_key()


async def said(*arguments):
    """What an `argus` command prints; fails where it fails."""
    done = await asyncio.to_thread(CliRunner().invoke, app, [*map(str, arguments)])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


@pytest.fixture
async def closed(tmp_path, monkeypatch):
    """A router that tells nothing to whom it does not know; how to reach it, and a stub."""
    authority = Authority()
    ca = write(tmp_path / "ca.pem", authority.pem)
    # Of another name than the address that is called, as behind a forwarded port.
    certificate, key = authority.issue(tmp_path, "studio-router")
    mine, mine_key = authority.issue(tmp_path, "shop")
    keys = write(tmp_path / "keys", f"{line('shop', SHOP)}\n{line(CONTROL, LOOKER)}\n".encode())
    monkeypatch.setenv("ARGUS_API_KEY", SHOP)
    monkeypatch.setenv("ARGUS_CONTROL_KEY", LOOKER)
    worker = ScriptedWorker("w0", "tiny")
    worker.automatic = True
    files = TlsFiles(certificate=certificate, key=key, client_ca=ca)
    async with guarded(worker, tls=files, keys=keys) as (router, address, _):
        await eventually(lambda: router.service.ready)
        options = ("--endpoint", address, "--ca", ca, "--server-name", "studio-router")
        yield (
            (*options, "--certificate", mine, "--key", mine_key),
            Client(authority, (mine, mine_key)).channel(address),
        )


async def test_all_that_ask_a_router_come_in_with_their_keys_and_certificates(closed, tmp_path):
    options, channel = closed
    plan = cluster_pb2.Plan(id=7, reason="because so much more comes")
    record = control_pb2.PlanRecord(plan=plan, changes=True, followed=True)
    async with channel:
        await stubs(channel)[1].RecordPlans(
            control_pb2.RecordPlansRequest(records=[record]),
            metadata=(("authorization", f"Bearer {LOOKER}"),),
        )
    picture = tmp_path / "circle.png"
    drawn = await said("draw", "a red circle", "-o", picture, "--scale", "1", *options)
    assert "quick" in drawn
    assert picture.exists()
    assert "w0" in await said("status", *options)
    assert "because so much more comes" in await said("why", *options)
    assert "Image 0" in await said("why", "--request", "latest", *options)
    assert "because so much" in await said("top", "--once", "--interval", "0.2", *options)


async def test_a_tenants_key_does_not_tell_why(closed):
    options, channel = closed
    await channel.close()
    done = await asyncio.to_thread(
        CliRunner().invoke, app, ["why", *map(str, options), "--control-key", SHOP]
    )
    assert "not for the control service" in str(done.exception)
