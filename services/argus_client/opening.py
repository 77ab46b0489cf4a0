"""How a client reaches its routers: targets, TLS, and what is said with every call."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import grpc

from argus_core.errors import InvalidRequest
from argus_rpc.channel import OPTIONS

Metadata = tuple[tuple[str, str], ...]

# Of several routers each serves its share, and one that is gone is passed over.
_SPREAD = ("grpc.lb_policy_name", "round_robin")


@dataclass(frozen=True, kw_only=True)
class Tls:
    """Files of an encrypted connection, in PEM; read once, when the client is made."""

    ca: Path | str | None = None
    """Whom to trust; None for gRPC's own list of public authorities."""
    certificate: Path | str | None = None
    """Of this client with its chain, where the router asks for one; with `key`."""
    key: Path | str | None = None
    server_name: str = ""
    """The name in the router's certificate, where it is not the endpoint's."""

    def credentials(self) -> grpc.ChannelCredentials:
        """As gRPC wants them.

        Raises:
            InvalidRequest: naming the file that cannot be read, or the half that is missing.
        """
        if (self.certificate is None) != (self.key is None):
            raise InvalidRequest.one(
                "tls", "a certificate needs its key, and a key its certificate"
            )
        return grpc.ssl_channel_credentials(
            root_certificates=_read("ca", self.ca),
            private_key=_read("key", self.key),
            certificate_chain=_read("certificate", self.certificate),
        )


def open_async(endpoint: str, tls: Tls | None) -> grpc.aio.Channel:
    """A channel for asyncio; connects when first used."""
    options = _options(tls)
    if tls is None:
        return grpc.aio.insecure_channel(target(endpoint), options=options)
    return grpc.aio.secure_channel(target(endpoint), tls.credentials(), options=options)


def open_sync(endpoint: str, tls: Tls | None) -> grpc.Channel:
    """A channel for threads; connects when first used."""
    options = _options(tls)
    if tls is None:
        return grpc.insecure_channel(target(endpoint), options=options)
    return grpc.secure_channel(target(endpoint), tls.credentials(), options=options)


def target(endpoint: str) -> str:
    """What gRPC calls an endpoint: `host:port`, or several `ip:port` with commas between."""
    several = [part.strip() for part in endpoint.split(",") if part.strip()]
    return f"ipv4:{','.join(several)}" if len(several) > 1 else endpoint


def metadata(*, tenant: str, api_key: str) -> Metadata:
    """What goes with every call."""
    said = []
    if tenant:
        said.append(("argus-tenant", tenant))
    if api_key:
        said.append(("authorization", f"Bearer {api_key}"))
    return tuple(said)


def _options(tls: Tls | None) -> list[tuple[str, str | int]]:
    named = tls is not None and tls.server_name
    name = [("grpc.ssl_target_name_override", tls.server_name)] if tls and named else []
    return [*OPTIONS, _SPREAD, *name]


def _read(which: str, path: Path | str | None) -> bytes | None:
    if path is None:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        problem = f"{path}: {error.strerror or 'cannot be read'}"
        raise InvalidRequest.one(f"tls.{which}", problem) from error
