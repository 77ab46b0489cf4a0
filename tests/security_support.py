"""Certificates and API keys for tests, and a router that asks for them."""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import grpc
import trustme

from argus_protos.v1.control_pb2_grpc import ControlServiceStub
from argus_protos.v1.images_pb2_grpc import ImageServiceStub
from argus_router.router import Router
from argus_rpc import roster
from argus_rpc.tls import TlsFiles
from router_support import cluster_of


class Authority:
    """Signs certificates, and knows how to trust them."""

    def __init__(self) -> None:
        self._ca = trustme.CA()
        self.pem = self._ca.cert_pem.bytes()

    def issue(self, folder: Path, name: str = "localhost") -> tuple[Path, Path]:
        """A certificate of this name, and its key; each file replaced as a whole."""
        issued = self._ca.issue_cert(name, "127.0.0.1")
        chain = b"".join(part.bytes() for part in issued.cert_chain_pems)
        certificate = write(folder / f"{name}.pem", chain)
        return certificate, write(folder / f"{name}.key", issued.private_key_pem.bytes())

    def secret(
        self, folder: Path, name: str, *, trusted: Authority | None = None
    ) -> dict[str, bytes]:
        """The entries that cert-manager fills a Secret with; as files they lie in `folder`.

        `trusted` is whom its `ca.crt` names; None for this one.
        """
        folder.mkdir(parents=True, exist_ok=True)
        chain, key = self.issue(folder, name)
        ca = (trusted or self).pem
        data = {"tls.crt": chain.read_bytes(), "tls.key": key.read_bytes(), "ca.crt": ca}
        for entry, text in data.items():
            write(folder / entry, text)
        return data


def write(path: Path, data: bytes) -> Path:
    """Put a file in the place of another at once, as those do that renew certificates."""
    new = path.with_suffix(".new")
    new.write_bytes(data)
    return new.replace(path)


class Client:
    """Who calls: whom it trusts, and what it shows of itself."""

    def __init__(self, authority: Authority, shown: tuple[Path, Path] | None = None) -> None:
        self._pem, self._shown = authority.pem, shown

    def channel(self, address: str) -> grpc.aio.Channel:
        """To the gRPC front; a connection of its own."""
        certificate, key = self._shown or (None, None)
        credentials = grpc.ssl_channel_credentials(
            self._pem, key and key.read_bytes(), certificate and certificate.read_bytes()
        )
        return grpc.aio.secure_channel(
            address, credentials, options=[("grpc.use_local_subchannel_pool", 1)]
        )

    def context(self) -> ssl.SSLContext:
        """To the HTTP front."""
        context = ssl.create_default_context(cadata=self._pem.decode())
        if self._shown:
            context.load_cert_chain(*self._shown)
        return context

    def session(self, url: str) -> aiohttp.ClientSession:
        """To the HTTP front; a connection of its own."""
        connector = aiohttp.TCPConnector(ssl=self.context(), force_close=True)
        return aiohttp.ClientSession(base_url=url, connector=connector)


@asynccontextmanager
async def guarded(
    *workers,
    tls: TlsFiles | None = None,
    keys: Path | None = None,
    limits=None,
    cluster=None,
    **options,
):
    """A router that asks for what it is told to; its gRPC address and HTTP URL.

    `options` are the router's.
    """
    for worker in workers:
        await worker.start()
    router = Router(
        cluster or cluster_of(),
        workers=roster.fixed([worker.address for worker in workers]),
        tls=tls,
        keys=[keys] if keys else [],
        limits=limits,
        **options,
    )
    try:
        yield router, *await router.start()
    finally:
        await router.stop(0)
        for worker in workers:
            await worker.die()


def stubs(channel: grpc.aio.Channel) -> tuple[ImageServiceStub, ControlServiceStub]:
    """Of both services."""
    return ImageServiceStub(channel), ControlServiceStub(channel)
