"""Ports that are chosen for services which start a little later."""

import secrets
import socket

import pytest

from argus_cli.local import ports
from argus_core.errors import Exhausted


def test_a_port_is_free_and_of_the_choice():
    chosen = ports.free_port()
    assert chosen in ports.CHOICE
    socket.create_server(("127.0.0.1", chosen)).close()


def test_a_port_at_which_somebody_listens_is_passed_over(monkeypatch):
    free = ports.free_port()
    with socket.create_server(("127.0.0.1", ports.free_port())) as listening:
        taken = listening.getsockname()[1]
        choices = iter([taken, free])
        monkeypatch.setattr(secrets, "choice", lambda _range: next(choices))
        assert ports.free_port() == free
        monkeypatch.setattr(secrets, "choice", lambda _range: taken)
        with pytest.raises(Exhausted, match="end what listens"):
            ports.free_port()
