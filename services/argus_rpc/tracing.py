"""Where a request comes from and goes to: the W3C trace context, and spans where asked for.

The context that a caller sends goes on to whoever is asked on its behalf, always. Spans are made
and exported by OpenTelemetry (extra `tracing`) where its standard environment variables name an
endpoint: `OTEL_EXPORTER_OTLP_ENDPOINT`, or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import grpc

from argus_core.errors import NotBuilt

Metadata = tuple[tuple[str, str], ...]

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_KEYS = frozenset({"traceparent", "tracestate"})
_LONGEST = 512
"""Characters of a value; a longer one is not carried on."""

_carried: ContextVar[Metadata] = ContextVar("trace", default=())


class _Spans:
    """OpenTelemetry, once it is set up."""

    def __init__(self) -> None:
        self.tracer: Any = None
        self.servers: Sequence[grpc.aio.ServerInterceptor] = ()
        self.clients: Sequence[grpc.aio.ClientInterceptor] = ()


_spans = _Spans()


def setup(service: str) -> None:
    """Make spans, if the environment names where they shall go; call it before any channel opens.

    Raises:
        NotBuilt: it does, and OpenTelemetry is not installed.
    """
    if not any(os.environ.get(name) for name in ENDPOINTS):
        return
    try:
        from opentelemetry import trace  # noqa: PLC0415
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (  # noqa: PLC0415
            OTLPSpanExporter,
        )
        from opentelemetry.instrumentation.grpc import (  # noqa: PLC0415
            aio_client_interceptors,
            aio_server_interceptor,
        )
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError as error:
        hint = "pip install 'argus-serving[tracing]'"
        raise NotBuilt(f"{ENDPOINTS[0]} is set, and OpenTelemetry is missing: {hint}") from error
    # What the environment says of the resource (OTEL_SERVICE_NAME) goes before our own name.
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    _spans.tracer = trace.get_tracer("argus")
    _spans.servers, _spans.clients = (aio_server_interceptor(),), aio_client_interceptors()


def is_on() -> bool:
    """Whether spans are made."""
    return _spans.tracer is not None


def server_interceptors() -> Sequence[grpc.aio.ServerInterceptor]:
    """What a server needs for its calls to be spans."""
    return _spans.servers


def client_interceptors() -> Sequence[grpc.aio.ClientInterceptor]:
    """What a channel needs for its calls to be spans."""
    return _spans.clients


def came_with(metadata: Iterable[tuple[str, str | bytes]] | None) -> None:
    """A call came with this metadata: carry its trace on."""
    found = tuple(
        (key, value)
        for key, value in metadata or ()
        if key in _KEYS and isinstance(value, str) and len(value) <= _LONGEST
    )
    # Told in any case: tasks that are used again must not carry an earlier call's.
    _carried.set(found)


def onward() -> Metadata | None:
    """Metadata of a call on behalf of the present one; None for nothing."""
    # With spans, their interceptor names the new parent.
    return None if is_on() else _carried.get() or None


@contextmanager
def span(name: str, headers: Mapping[str, str] | None = None, **attributes: Any) -> Iterator[None]:
    """A span of this name, if any are made; below the context in `headers`, if they are given."""
    if _spans.tracer is None:
        yield
        return
    from opentelemetry.propagate import extract  # noqa: PLC0415

    context = None if headers is None else extract(headers)
    with _spans.tracer.start_as_current_span(name, context=context, attributes=attributes):
        yield


def trace_id() -> str:
    """Of the present span, as traces are looked up by; empty where there is none."""
    if _spans.tracer is None:
        return ""
    from opentelemetry import trace  # noqa: PLC0415

    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else ""


def note(**attributes: Any) -> None:
    """Attributes of the present span, by name."""
    if _spans.tracer is None:
        return
    from opentelemetry import trace  # noqa: PLC0415

    trace.get_current_span().set_attributes({f"argus.{k}": v for k, v in attributes.items()})
