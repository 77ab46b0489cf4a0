"""Channels to other services, all with the same limits and signs of life."""

from __future__ import annotations

import grpc

from argus_rpc import tracing

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


def open_channel(address: str) -> grpc.aio.Channel:
    """A channel to `host:port`; connects when first used. Close it, or use `async with`."""
    interceptors = tracing.client_interceptors()
    return grpc.aio.insecure_channel(address, options=OPTIONS, interceptors=interceptors)
