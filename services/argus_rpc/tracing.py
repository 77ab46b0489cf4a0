"""Where a request comes from and goes to: the W3C trace context, and spans where asked for.

The context that a caller sends goes on to whoever is asked on its behalf, always. Spans are made
and exported by OpenTelemetry (extra `tracing`) where its standard environment variables name an
endpoint: `OTEL_EXPORTER_OTLP_ENDPOINT`, or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`.
"""

from __future__ import annotations

import os
import sys
import time
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
        hint = "pip install '.[tracing]' in Argus's sources"
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
def span(
    name: str, headers: Mapping[str, str] | None = None, *, serving: bool = False, **attributes: Any
) -> Iterator[None]:
    """A span of this name, if any are made; below the context in `headers`, if they are given.

    `serving` is for a request that came from elsewhere. An error that passes by is named, and is
    no failure of the span: most are answers. Not for generators, which leave it in another context.
    """
    if _spans.tracer is None:
        yield
        return
    from opentelemetry.propagate import extract  # noqa: PLC0415
    from opentelemetry.trace import SpanKind  # noqa: PLC0415

    with _spans.tracer.start_as_current_span(
        name,
        context=None if headers is None else extract(headers),
        kind=SpanKind.SERVER if serving else SpanKind.INTERNAL,
        attributes=_named(attributes),
        record_exception=False,
        set_status_on_exception=False,
    ) as begun:
        try:
            yield
        except BaseException as error:
            begun.set_attribute("error.type", getattr(error, "code", type(error).__name__))
            raise


def past(name: str, seconds: float, *, ago: float = 0.0, **attributes: Any) -> None:
    """A span below the present one that took so many seconds, and ended so many ago."""
    if _spans.tracer is None:
        return
    end = time.time_ns() - round(ago * 1e9)
    begun = _spans.tracer.start_span(
        name, start_time=end - round(seconds * 1e9), attributes=_named(attributes)
    )
    begun.end(end)


def moment(name: str, **attributes: Any) -> None:
    """Something happened within the present span."""
    if _spans.tracer is None:
        return
    from opentelemetry import trace  # noqa: PLC0415

    trace.get_current_span().add_event(name, _named(attributes))


class Calling:
    """A call to a router, seen from its client; a span where the client's process makes any.

    It is so where Argus set OpenTelemetry up, or where the program that uses the client did.
    """

    def __init__(self, name: str) -> None:
        self._span: Any = None
        self.metadata: Metadata = onward() or ()
        """To be sent with the call, so that the router's spans hang below."""
        tracer = _spans.tracer
        if tracer is None and "opentelemetry.sdk.trace" in sys.modules:
            from opentelemetry import trace  # noqa: PLC0415

            tracer = trace.get_tracer("argus_client")
        if tracer is None:
            return
        from opentelemetry import propagate, trace  # noqa: PLC0415

        self._span = tracer.start_span(name, kind=trace.SpanKind.CLIENT)
        carrier: dict[str, str] = {}
        propagate.inject(carrier, trace.set_span_in_context(self._span))
        self.metadata = tuple(carrier.items())

    def note(self, **attributes: Any) -> None:
        """Attributes of the span."""
        if self._span is not None:
            self._span.set_attributes(_named(attributes))

    def end(self, error: str = "") -> None:
        """It is over; `error` is a canonical code, empty for none."""
        if self._span is not None:
            if error:
                self._span.set_attribute("error.type", error)
            self._span.end()


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

    trace.get_current_span().set_attributes(_named(attributes))


def _named(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Argus's own are told as such; those with a dot are named by somebody else."""
    return {k if "." in k else f"argus.{k}": v for k, v in attributes.items()}
