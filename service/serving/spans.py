"""Spans of requests, sent by OpenTelemetry to where the OTEL_* variables say.

It is an extra: `pip install runquote[traces]`. A span is made when its request is over, from the
times that are measured in any case, and is sent from a thread of its own.
"""

from time import time_ns
from typing import Any, Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from service import __version__
from service.access.traces import Parent

NS: Final = 1_000_000_000
NAMES: Final = {
    "method": "http.request.method",
    "route": "http.route",
    "status": "http.response.status_code",
    "client": "client.address",
    "bytes_out": "http.response.body.size",
}
"""The names that OpenTelemetry has for what we know. The others begin with `runquote.`."""


class SentSpans:
    """Sends a span for each request."""

    def __init__(self, exporter: SpanExporter | None = None) -> None:
        made = Resource.create({SERVICE_NAME: "runquote", SERVICE_VERSION: __version__})
        self._provider = TracerProvider(resource=made)
        self._provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("runquote", __version__)

    def ended(
        self, parent: Parent | None, *, name: str, seconds: float, facts: dict[str, Any]
    ) -> Parent:
        """Send what is known of a request that is over."""
        now = time_ns()
        span = self._tracer.start_span(
            name,
            context=None if parent is None else _context_of(parent),
            kind=SpanKind.SERVER,
            attributes={NAMES.get(fact, f"runquote.{fact}"): told for fact, told in facts.items()},
            start_time=now - round(seconds * NS),
        )
        if facts["status"] >= 500:
            span.set_status(Status(StatusCode.ERROR))
        span.end(now)
        own = span.get_span_context()
        return Parent(
            f"{own.trace_id:032x}", f"{own.span_id:016x}", sampled=own.trace_flags.sampled
        )

    def close(self) -> None:
        """Send what waits, and no more."""
        self._provider.shutdown()


def _context_of(parent: Parent) -> Any:
    flags = TraceFlags(TraceFlags.SAMPLED if parent.sampled else TraceFlags.DEFAULT)
    context = SpanContext(
        int(parent.trace, 16), int(parent.span, 16), is_remote=True, trace_flags=flags
    )
    return set_span_in_context(NonRecordingSpan(context))
