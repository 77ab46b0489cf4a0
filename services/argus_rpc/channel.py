"""Channels to other services, all with the same limits and signs of life."""

from __future__ import annotations

import grpc

from argus_rpc import tracing
from argus_rpc.peers import Peers

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""Of one message, either way: the largest image (32 MiB) and its captured latents."""

OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # A peer that vanished without a word is noticed within 15 seconds.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # Each channel connects anew: a restarted peer must not inherit a broken connection.
    ("grpc.use_local_subchannel_pool", 1),
)


def open_channel(address: str, peers: Peers | None = None) -> grpc.aio.Channel:
    """A channel to `host:port`; connects when first used. Close it, or use `async with`.

    With `peers` it is encrypted, and either side shows the other a certificate.

    Raises:
        InvalidRequest: a file of the peers' cannot be read, or is no such thing.
    """
    interceptors = tracing.client_interceptors()
    if peers is None:
        return grpc.aio.insecure_channel(address, options=OPTIONS, interceptors=interceptors)
    # Pods are met at addresses, which no certificate names.
    options = (*OPTIONS, ("grpc.ssl_target_name_override", peers.name))
    return grpc.aio.secure_channel(
        address, peers.shown(), options=options, interceptors=interceptors
    )


class Opened:
    """A channel that is kept: it shows what it was opened with, also when it connects again."""

    def __init__(self, address: str, peers: Peers | None) -> None:
        """As `open_channel`."""
        self._peers = peers
        # Before the channel is opened: a file may change in between.
        self._shown = peers.shown() if peers is not None else None
        self.channel = open_channel(address, peers)

    @property
    def stale(self) -> bool:
        """Whether there is another certificate to show by now."""
        return self._peers is not None and self._peers.shown() is not self._shown
