"""A gRPC server as every Argus service offers it: health, reflection, limits, one boundary.

A connection that is not opened properly within ten seconds is closed, and one whose peer does not
answer any more within about a minute.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from argus_core.errors import Unavailable
from argus_rpc import tracing
from argus_rpc.boundary import Boundary
from argus_rpc.channel import MAX_MESSAGE_BYTES

_PENDING = 10_000
_PROBERS = 100
"""Connections, and calls, of those who probe."""

_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_metadata_size", 16 * 1024),
    # Clients watch streams that may be silent for long: let them ask whether we live.
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # Calls that came and were not taken yet. Beyond a thousand gRPC begins to cancel some by lot,
    # which tells a client nothing: refusing is for admission, with a time to come again.
    ("grpc.server.max_pending_requests", _PENDING),
    ("grpc.server.max_pending_requests_hard_limit", _PENDING),
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # Two servers on one port would each see half the calls.
    ("grpc.so_reuseport", 0),
)


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What callers may have of a server at once, and how long."""

    connections: int
    """Open at once; more are closed as they come."""
    calls: int
    """Under way at once, over all connections; more are RESOURCE_EXHAUSTED before they are read."""
    message: float
    """Seconds from a call's beginning until its message is there."""
    idle: float = 300.0
    """Seconds after which a connection without calls is closed; clients open another."""


Registration = tuple[Callable[[Any, grpc.aio.Server], None], Any]


class Server:
    """Serves the servicers given; not serving, for health checks, until told.

    Lifecycle: `start`, `set_serving` as often as it changes, `stop` once.
    """

    def __init__(
        self,
        *,
        address: str,
        servicers: Sequence[Registration],
        services: Sequence[str],
        credentials: grpc.ServerCredentials | None = None,
        interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
        bounds: Bounds | None = None,
        probe: str | None = None,
    ) -> None:
        """Binds nothing yet.

        Args:
            address: `HOST:PORT`; port 0 takes a free one.
            servicers: what answers, each with the function that registers it.
            services: their names.
            credentials: for TLS; None listens without.
            interceptors: within the boundary, which makes statuses of their handlers' errors.
            bounds: for callers that are not trusted; None sets none.
            probe: `HOST:PORT` for health alone, without TLS, of those who have no certificate to
                show; None for nowhere.
        """
        self._address, self._services, self._credentials = address, tuple(services), credentials
        boundary = Boundary(message_within=bounds.message if bounds else None)
        self._server = grpc.aio.server(
            interceptors=[*tracing.server_interceptors(), boundary, *interceptors],
            options=(*_OPTIONS, *_options(bounds)),
            maximum_concurrent_rpcs=bounds.calls if bounds else None,
        )
        self.probe_port = 0
        """Where it is probed, once started; 0 for nowhere."""
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._prober = self._probed() if probe is not None else None
        self._probe = probe
        for add, servicer in servicers:
            add(servicer, self._server)
        names = (*self._services, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)

    async def start(self) -> int:
        """Listen; returns the port.

        Raises:
            Unavailable: an address cannot be had.
        """
        port = _listen(self._server, self._address, self._credentials)
        await self.set_serving(serving=False)
        await self._server.start()
        if self._prober is not None and self._probe is not None:
            # Last: who is told that it lives may come in.
            self.probe_port = _listen(self._prober, self._probe, None)
            await self._prober.start()
        return port

    def _probed(self) -> grpc.aio.Server:
        """A server of nothing but the same health."""
        own = Bounds(connections=_PROBERS, calls=_PROBERS, message=0.0)
        options = (*_OPTIONS, *_options(own))
        server = grpc.aio.server(options=options, maximum_concurrent_rpcs=own.calls)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        return server

    async def set_serving(self, serving: bool) -> None:  # noqa: FBT001 - reads well in a call
        """Tell health checks whether requests are welcome."""
        status = health_pb2.HealthCheckResponse
        value = status.SERVING if serving else status.NOT_SERVING
        for service in ("", *self._services):
            await self._health.set(service, value)

    async def stop(self, grace: float) -> None:
        """Refuse new calls, give running ones `grace` seconds, then cancel them."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace)
        if self._prober is not None:
            await self._prober.stop(None)


def _listen(
    server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials | None
) -> int:
    """The port that it will listen on; raises Unavailable where it cannot be had."""
    try:
        if credentials is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise Unavailable(f"cannot listen on {address}: {error}") from error


def _options(bounds: Bounds | None) -> Sequence[tuple[str, int]]:
    if bounds is None:
        return ()
    return (
        ("grpc.max_allowed_incoming_connections", bounds.connections),
        ("grpc.max_connection_idle_ms", round(1000 * bounds.idle)),
    )
