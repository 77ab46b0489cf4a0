"""How commands reach routers: where they are, the keys that open them, and the encryption.

The options are typer's, the same in every command that has them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from argus_core.errors import Unavailable

if TYPE_CHECKING:
    from argus_client import Tls

Endpoint = Annotated[
    str | None, typer.Option(help="host:port of a router; else the cluster running here.")
]
ApiKey = Annotated[str, typer.Option(envvar="ARGUS_API_KEY", help="API key of the tenant.")]
ControlKey = Annotated[
    str, typer.Option(envvar="ARGUS_CONTROL_KEY", help="API key of the control service.")
]
Ca = Annotated[
    Path | None, typer.Option(help="PEM: whom to trust; the connection is encrypted then.")
]
Certificate = Annotated[Path | None, typer.Option(help="PEM: our own, with --key.")]
Key = Annotated[Path | None, typer.Option(help="PEM: of --certificate.")]
ServerName = Annotated[
    str, typer.Option(help="The name in the router's certificate, where it is not the endpoint's.")
]


def tls_of(
    ca: Path | None, certificate: Path | None, key: Path | None, server_name: str
) -> Tls | None:
    """The encryption that the options ask for; None for a plain connection."""
    from argus_client import Tls  # noqa: PLC0415 - brings grpc, slow to import

    if not (ca or certificate or key or server_name):
        return None
    return Tls(ca=ca, certificate=certificate, key=key, server_name=server_name)


def router_at(endpoint: str | None) -> str:
    """The address.

    Raises:
        Unavailable: none is named, and no cluster runs here.
    """
    from argus_cli.local import runtime  # noqa: PLC0415 - slow to import

    running = None if endpoint else runtime.find()
    address = endpoint or (running.grpc if running else None)
    if address is None:
        raise Unavailable("no cluster runs on this machine; start one: argus up", retry_after=None)
    return address
