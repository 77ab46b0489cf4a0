"""Metrics: where a service without an HTTP front shows them, and how their children are found."""

from __future__ import annotations

from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, disable_created_metrics, start_http_server
from prometheus_client.metrics import MetricWrapperBase

from argus_core.errors import Unavailable

# Else there is a second series beside each, of when it began, which nobody reads.
disable_created_metrics()  # type: ignore[no-untyped-call]

M = TypeVar("M", bound=MetricWrapperBase)


class Children(Generic[M]):
    """A metric's children by their labels' values, each looked up in the metric once.

    For values that are bounded, and asked for with every request: a metric checks them each time,
    under a lock. Of no use for a metric whose children are taken out again.
    """

    def __init__(self, metric: M) -> None:
        self._metric = metric
        self._known: dict[tuple[str, ...], M] = {}

    def __call__(self, *values: str) -> M:
        """The child of these labels."""
        found = self._known.get(values)
        if found is None:
            found = self._known[values] = self._metric.labels(*values)
        return found


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
