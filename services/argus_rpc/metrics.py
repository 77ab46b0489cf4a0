"""Where a service without an HTTP front shows its metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, start_http_server

from argus_core.errors import Unavailable


class Exposition:
    """Shows metrics to Prometheus, from a thread of its own, from now until `close`."""

    def __init__(self, registry: CollectorRegistry, host: str, port: int) -> None:
        """Port 0 takes a free one.

        Raises:
            Unavailable: the address cannot be had.
        """
        try:
            self._server, self._thread = start_http_server(port, host, registry)
        except OSError as error:
            raise Unavailable(f"cannot listen on {host}:{port}: {error}") from error
        self.address = f"{host}:{self._server.server_port}"
        """host:port that it listens on."""

    def close(self) -> None:
        """Listen no more; takes half a second at most."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
