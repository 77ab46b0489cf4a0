"""The client against a router that wants certificates and keys."""

import asyncio

import pytest

from argus_client import AsyncClient, Client, Order, Retry, Tls
from argus_core.errors import ArgusError, Unavailable
from argus_rpc.keys import line, new_key
from argus_rpc.tls import TlsFiles
from helpers import eventually
from router_support import ScriptedWorker
from security_support import Authority, guarded, write

ORDER = Order(prompt="a red circle", deadline=20.0)
ONCE = Retry(attempts=1)


@pytest.fixture
def worker():
    found = ScriptedWorker("w0", "tiny")
    found.automatic = True
    return found


async def test_router_and_client_know_each_other_by_certificates(tmp_path, worker):
    authority = Authority()
    ca = write(tmp_path / "ca.pem", authority.pem)
    certificate, key = authority.issue(tmp_path)
    mine, mine_key = authority.issue(tmp_path, "shop")
    files = TlsFiles(certificate=certificate, key=key, client_ca=ca)

    def by_threads(address):
        tls = Tls(ca=ca, certificate=mine, key=mine_key)
        with Client(address, tls=tls) as client:
            return client.draw(ORDER)

    async with guarded(worker, tls=files) as (router, address, _):
        await eventually(lambda: router.service.ready)
        tls = Tls(ca=ca, certificate=mine, key=mine_key)
        async with AsyncClient(address, tls=tls) as client:
            assert len(await client.draw(ORDER)) == 1
        assert len(await asyncio.to_thread(by_threads, address)) == 1
        for unknown in (None, Tls(ca=ca)):
            async with AsyncClient(address, tls=unknown, retry=ONCE) as client:
                with pytest.raises(Unavailable):
                    await client.draw(ORDER)


async def test_api_key_opens_the_router_and_no_other_does(tmp_path, worker):
    key = new_key()
    keys = write(tmp_path / "keys", line("shop", key).encode())
    async with guarded(worker, keys=keys) as (router, address, _):
        await eventually(lambda: router.service.ready)
        async with AsyncClient(address, api_key=key) as client:
            assert len(await client.draw(ORDER)) == 1
        async with AsyncClient(address, api_key="argus-other", retry=ONCE) as client:
            with pytest.raises(ArgusError) as caught:
                await client.draw(ORDER)
        assert caught.value.code == "UNAUTHENTICATED"
