"""A real Prometheus scrapes routers with certificates as the operator's PodMonitor says."""

from __future__ import annotations

import asyncio

from argus_operator.objects import build
from argus_operator.settings import Settings
from argus_rpc.tls import TlsFiles
from helpers import eventually
from operator_support import OWNER
from operator_support import cluster_of as said
from prometheus_support import prometheus_server
from security_support import Authority, guarded

HOST = "demo-router.here.svc"
INTERVAL = 2.0
"""Seconds between scrapes, and for one."""


def monitored(folder, **tls):
    """The scrape configuration that the Prometheus operator makes of the PodMonitor.

    Secrets are folders of entries.
    """
    made = build(
        said(
            router={"tls": {"secretName": "routers", **tls}},
            observability={"podMonitor": True, "monitorSecretName": "monitor"},
        ),
        Settings(),
        OWNER,
    )
    (monitor,) = (thing for thing in made if thing["kind"] == "PodMonitor")
    http, _ = monitor["spec"]["podMetricsEndpoints"]
    told = http["tlsConfig"]

    def file(entry):
        return str(folder / entry["name"] / entry["key"])

    found = {"server_name": told["serverName"], "ca_file": file(told["ca"]["secret"])}
    if "cert" in told:
        found["cert_file"] = file(told["cert"]["secret"])
        found["key_file"] = file(told["keySecret"])
    return {"scheme": http["scheme"], "tls_config": found}


async def scraped(folder, address, how, *, error=""):
    """Wait until a scrape has gone well, or failed with these words."""
    folder.mkdir()
    targets = [{"targets": [address]}]
    async with prometheus_server(folder, targets=targets, interval=INTERVAL, how=how) as server:

        async def so():
            return any(
                (target["health"] == "down" and error in target["lastError"])
                if error
                else target["health"] == "up"
                for target in await server.targets()
            )

        await eventually(so, timeout=90, interval=0.1)


async def test_who_is_named_trusted_and_shown_is_scraped_and_nobody_else(tmp_path):
    authority = Authority()
    routers, stranger = tmp_path / "routers", tmp_path / "stranger"
    authority.secret(routers, HOST)
    authority.secret(tmp_path / "monitor", "prometheus")
    Authority().secret(stranger, "prometheus")
    files = TlsFiles(
        certificate=routers / "tls.crt", key=routers / "tls.key", client_ca=routers / "ca.crt"
    )
    asked, unshown = monitored(tmp_path, clientCertificates=True), monitored(tmp_path)
    mistrusted = {**asked["tls_config"], "ca_file": str(stranger / "ca.crt")}
    async with guarded(tls=files) as (_, _, url):
        address = url.removeprefix("https://")
        await asyncio.gather(
            scraped(tmp_path / "a", address, asked),
            scraped(tmp_path / "b", address, unshown, error=address),  # is hung up on
            scraped(
                tmp_path / "c",
                address,
                {**asked, "tls_config": mistrusted},
                error="unknown authority",
            ),
        )


async def test_a_router_of_another_name_is_not_scraped(tmp_path):
    authority = Authority()
    routers = tmp_path / "routers"
    authority.secret(routers, "other-router.here.svc")
    authority.secret(tmp_path / "monitor", "prometheus")
    files = TlsFiles(certificate=routers / "tls.crt", key=routers / "tls.key")
    async with guarded(tls=files) as (_, _, url):
        address = url.removeprefix("https://")
        await scraped(tmp_path / "a", address, monitored(tmp_path), error=HOST)
