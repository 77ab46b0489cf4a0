"""Mutual TLS among a cluster's own parts: each shows a certificate, and asks for one.

They have it from a folder, as Kubernetes mounts a Secret of cert-manager's: `tls.crt` and
`tls.key`, and `ca.crt`, of whose authorities the others' must be. One certificate may be for all
parts: it has one name, by which they are known wherever they listen. The files are looked at with
every connection that begins, and read anew when they changed; what makes no sense leaves what was
read before in force.
"""

from __future__ import annotations

import argparse
import ssl
from pathlib import Path

import grpc

from argus_core.errors import InvalidRequest
from argus_rpc.fresh import Fresh
from argus_rpc.tls import TlsFiles, grpc_credentials

ENTRIES = ("ca.crt", "tls.crt", "tls.key")
"""Of the folder."""


def host_of(cluster: str, namespace: str) -> str:
    """The name that the certificate of a cluster's parts has."""
    return f"{cluster}-internal.{namespace}.svc"


class Peers:
    """What one part of a cluster shows to the others, and whom it trusts."""

    def __init__(self, folder: Path, name: str) -> None:
        """Reads nothing yet.

        Args:
            folder: of `ENTRIES`.
            name: that the others' certificates must have, see `host_of`.
        """
        self.folder, self.name = folder, name
        self._files = TlsFiles(
            certificate=folder / "tls.crt", key=folder / "tls.key", client_ca=folder / "ca.crt"
        )
        self._fresh: Fresh[grpc.ChannelCredentials] | None = None

    def asked(self) -> grpc.ServerCredentials:
        """Of a server that asks whoever connects for a certificate.

        Raises:
            InvalidRequest: a file cannot be read, or is no such thing.
        """
        return grpc_credentials(self._files)

    def shown(self) -> grpc.ChannelCredentials:
        """Of a channel to another part: the same object until a file has changed.

        Raises:
            InvalidRequest: a file cannot be read, or is no such thing, and none was before.
        """
        if self._fresh is None:
            self._fresh = Fresh(self._files.paths, self._read)
        return self._fresh.get()

    def _read(self) -> grpc.ChannelCredentials:
        files = self._files
        assert files.client_ca is not None, "told where it is made"
        # gRPC would tell of a key that is not the certificate's by a handshake that fails.
        context = ssl.create_default_context(cafile=str(files.client_ca))
        context.load_cert_chain(files.certificate, files.key)
        return grpc.ssl_channel_credentials(
            root_certificates=files.client_ca.read_bytes(),
            private_key=files.key.read_bytes(),
            certificate_chain=files.certificate.read_bytes(),
        )


def add_options(parser: argparse.ArgumentParser) -> None:
    """Of a service that only its peers may call, and of who probes it."""
    add_option(parser)
    parser.add_argument("--probe", help="HOST:PORT for gRPC's health alone, always without TLS")


def add_option(parser: argparse.ArgumentParser) -> None:
    """By which a service is told of its peers."""
    parser.add_argument(
        "--internal-tls",
        type=Path,
        metavar="FOLDER",
        help="mutual TLS with the cluster's other parts, by ca.crt, tls.crt and tls.key, followed",
    )


def peers_of(folder: Path | None, cluster: str, namespace: str) -> Peers | None:
    """Those of a cluster; None where nothing is encrypted.

    Raises:
        InvalidRequest: naming the files that cannot be read, or make no sense.
    """
    if folder is None:
        return None
    if missing := [entry for entry in ENTRIES if not (folder / entry).is_file()]:
        raise InvalidRequest.one("--internal-tls", f"{folder} has no {', '.join(missing)}")
    found = Peers(folder, host_of(cluster, namespace))
    found.shown()
    return found
