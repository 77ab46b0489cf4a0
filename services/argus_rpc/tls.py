"""TLS by files, for gRPC and for HTTP: certificate, key, and whom to ask for certificates.

All three files are looked at with every connection that begins, and read anew when they changed;
connections that stand keep what they began with.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import grpc

from argus_rpc.fresh import Fresh


@dataclass(frozen=True, kw_only=True)
class TlsFiles:
    """Files in PEM."""

    certificate: Path
    """Of this server, with its chain."""
    key: Path
    client_ca: Path | None = None
    """Who signs clients' certificates; where it is given, clients must have one."""

    @property
    def paths(self) -> list[Path]:
        """Those that there are."""
        return [path for path in (self.certificate, self.key, self.client_ca) if path]


def grpc_credentials(files: TlsFiles) -> grpc.ServerCredentials:
    """For a gRPC server.

    Raises:
        InvalidRequest: a file cannot be read, or is no such thing.
    """
    current = Fresh(files.paths, lambda: _configuration(files))
    return grpc.dynamic_ssl_server_credentials(
        current.get(),
        _changes(current),  # type: ignore[arg-type]  # None: unchanged; the stubs know it not
        require_client_authentication=files.client_ca is not None,
    )


def ssl_context(files: TlsFiles) -> ssl.SSLContext:
    """For an HTTP server.

    Raises:
        InvalidRequest: a file cannot be read, or is no such thing.
    """
    current = Fresh(files.paths, lambda: _context(files))
    front = _context(files)

    def choose(connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        del name, context
        connection.context = current.get()

    # Called for every connection that begins, also for those that name no server.
    front.sni_callback = choose
    return front


def _changes(
    current: Fresh[grpc.ServerCertificateConfiguration],
) -> Callable[[], grpc.ServerCertificateConfiguration | None]:
    """What gRPC asks with every connection: the configuration, where it is another one."""
    last = current.get()

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        nonlocal last
        if (now := current.get()) is last:
            return None
        last = now
        return now

    return fetch


def _configuration(files: TlsFiles) -> grpc.ServerCertificateConfiguration:
    # gRPC would notice a key that is not the certificate's with the first connection only.
    _context(files)
    return grpc.ssl_server_certificate_configuration(
        [(files.key.read_bytes(), files.certificate.read_bytes())],
        root_certificates=files.client_ca.read_bytes() if files.client_ca else None,
    )


def _context(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(files.certificate, files.key)
    if files.client_ca is not None:
        context.load_verify_locations(files.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
