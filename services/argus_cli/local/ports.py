"""Ports of this machine that are chosen before anybody listens there."""

from __future__ import annotations

import secrets
import socket
from contextlib import suppress

from argus_core.errors import Exhausted

CHOICE = range(20_000, 30_000)
"""Below those that Linux and macOS give to whoever connects or names no port: none of these is
taken by chance before its service has started."""
_TRIES = 100


def free_port() -> int:
    """One of loopback that nobody listens at now.

    Raises:
        Exhausted: whichever was tried is taken.
    """
    for _ in range(_TRIES):
        port = secrets.choice(CHOICE)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    tried = f"ports {CHOICE.start} to {CHOICE.stop - 1} of 127.0.0.1"
    raise Exhausted(f"{tried} are taken wherever one was tried: end what listens there")
