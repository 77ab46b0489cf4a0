"""The router that a command asks: the one named, or that of the cluster on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from argus_core.errors import Unavailable

Endpoint = Annotated[str | None, typer.Option(help="host:port of a router.")]
ControlKey = Annotated[
    str, typer.Option(envvar="ARGUS_CONTROL_KEY", help="API key of the control service.")
]


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
