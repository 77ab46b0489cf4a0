"""What an OpenTelemetry collector is to Argus: on loopback, it takes spans and keeps them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)

from argus_rpc.server import Server
from argus_rpc.tracing import ENDPOINTS


class Collector(TraceServiceServicer):  # type: ignore[misc]
    """Spans, by the name of the service that made them."""

    def __init__(self) -> None:
        self.spans: dict[str, list[Any]] = {}
        self.environment: dict[str, str] = {}
        """Variables that tell a process to send its spans here, and soon."""

    async def Export(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 - gRPC's
        """Take spans."""
        for resource in request.resource_spans:
            (name,) = [
                attribute.value.string_value
                for attribute in resource.resource.attributes
                if attribute.key == "service.name"
            ]
            for scope in resource.scope_spans:
                self.spans.setdefault(name, []).extend(scope.spans)
        return trace_service_pb2.ExportTraceServiceResponse()


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """One that listens for as long as the block lasts."""
    collector = Collector()
    server = Server(
        address="127.0.0.1:0",
        servicers=[(add_TraceServiceServicer_to_server, collector)],
        services=[],
    )
    port = await server.start()
    collector.environment = {
        ENDPOINTS[0]: f"http://127.0.0.1:{port}",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
    }
    try:
        yield collector
    finally:
        await server.stop(0)
