"""A local cluster whose router wants certificates and keys, and whose parts show each other theirs.

By files in place of Secrets.
"""

import aiohttp
import pytest

from argus_cli.commands.assign import _assign as switched
from argus_client import AsyncClient, Order, Retry
from argus_client.workers import assign
from argus_core.errors import ArgusError, Unavailable
from argus_rpc.keys import line, new_key
from helpers import eventually
from local_support import START, cluster_document, running_cluster
from security_support import Authority

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SHOP = new_key()


async def test_control_loop_and_console_come_in_and_nobody_without_a_key(tmp_path):
    authority, secrets = Authority(), tmp_path / "secrets"
    authority.secret(secrets / "cert", "closed-router.default.svc")
    authority.secret(secrets / "within", "closed-internal.default.svc")
    (secrets / "keys").mkdir()
    (secrets / "keys/keys").write_text(line("shop", SHOP))
    router = {
        "tls": {"secretName": "cert", "clientCertificates": True},
        "apiKeys": {"secretName": "keys"},
    }
    within = {"secretName": "within"}
    said = cluster_document("closed", workers=1, router=router, internalTls=within)
    async with running_cluster(tmp_path, said, console=True, secrets=secrets) as cluster:
        assert cluster.router["http"].startswith("https://")
        address, tls = cluster.router["grpc"], cluster.guarded.tls
        async with AsyncClient(address, tls=tls, api_key=SHOP) as client:
            (picture,) = await client.draw(Order(prompt="a red circle", deadline=60))
        assert picture.worker
        # It was drawn by a worker that speaks with nobody who shows nothing, and so does the loop.
        (worker,) = cluster.addresses.values()
        with pytest.raises(Unavailable, match="it may want TLS"):
            await assign(worker, ["second"])
        assert cluster.control.crew.states.keys() == cluster.workers.keys()
        state = await switched(cluster.running, *cluster.workers, ["second"], 60.0)
        assert [*state.loadout] == ["second"]
        async with AsyncClient(address, tls=tls, retry=Retry(attempts=1)) as client:
            with pytest.raises(ArgusError, match="API key"):
                await client.describe()
        # The router has taken the loop's plan, and the console hears of both.
        await eventually(lambda: cluster.control.lines["router"].told, START, 0.1)

        async def shown():
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"{cluster.console}/readyz") as answer,
            ):
                return answer.status == 200

        await eventually(shown, START, 0.2)
