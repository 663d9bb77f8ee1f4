"""Spans of runs, created with OpenTelemetry's SDK. Imported only if tracing is on (`netra.agents.observing.tracing`).

Spans contain nothing that people or agents say: only names of agents, ids, pseudonyms of users, and outcomes.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from importlib.metadata import entry_points
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from netra.agents.ledger.moves import Lease
from netra.agents.observing.tracing import Span, Tracer
from websocket_core.process.heartbeat import this_process
from websocket_core.process.lifecycle import lifecycle
from websocket_core.process.log_context import user_mark

FLUSH_SECONDS = 3.0  # time to send the remaining spans when the process ends
_FIELD = "traceparent"
_carrier = TraceContextTextMapPropagator()


class OpenTelemetrySpan:
    """See `netra.agents.observing.tracing.Span`."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self.trace_id = trace.format_trace_id(span.get_span_context().trace_id)

    def about(self, agent: str, thread_id: str, run_id: str) -> None:
        """See `netra.agents.observing.tracing.Span`."""
        self._span.set_attributes({"netra.agent": agent, "netra.thread_id": thread_id, "netra.run_id": run_id})

    def outcome(self, outcome: str, *, failed: bool = False) -> None:
        """See `netra.agents.observing.tracing.Span`."""
        self._span.set_attribute("netra.outcome", outcome)
        if failed:
            self._span.set_status(Status(StatusCode.ERROR, outcome))


class OpenTelemetryTracer:
    """See `netra.agents.observing.tracing.Tracer`."""

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    @contextmanager
    def starting(self, user_id: str, connection_id: str | None, request_id: str | None) -> Iterator[Span]:
        """See `netra.agents.observing.tracing.Tracer`."""
        attributes = {"netra.user": user_mark(user_id)}
        if connection_id is not None:
            attributes["netra.connection_id"] = connection_id
        if request_id is not None:
            attributes["netra.request_id"] = request_id
        with self._span("start_agent", SpanKind.SERVER, attributes) as span:
            yield OpenTelemetrySpan(span)

    @contextmanager
    def recording(self) -> Iterator[str]:
        """See `netra.agents.observing.tracing.Tracer`."""
        with self._span("record run", SpanKind.PRODUCER):
            carried: dict[str, str] = {}
            _carrier.inject(carried)
            yield carried.get(_FIELD, "")

    @contextmanager
    def executing(self, lease: Lease) -> Iterator[Span]:
        """See `netra.agents.observing.tracing.Tracer`."""
        attributes: dict[str, Any] = {
            "netra.user": user_mark(lease.owner_id),
            "netra.process_id": this_process.process_id,
            "netra.goes_on": lease.resting,
        }
        if lease.request_id is not None:
            attributes["netra.request_id"] = lease.request_id
        if lease.created_at is not None and not lease.resting:
            waited = (datetime.now(UTC) - lease.created_at).total_seconds()
            attributes["netra.waited_seconds"] = max(0.0, waited)  # the clock of another machine may be ahead
        with self._span("run", SpanKind.CONSUMER, attributes, _context_of(lease.trace)) as span:
            found = OpenTelemetrySpan(span)
            found.about(lease.agent_type, lease.thread_id, lease.run_id)
            yield found

    @contextmanager
    def ending(self, event_type: str, trace: str | None = None) -> Iterator[None]:
        """See `netra.agents.observing.tracing.Tracer`."""
        context = None if trace is None else _context_of(trace)
        with self._span("last event", SpanKind.INTERNAL, {"netra.event_type": event_type}, context):
            yield

    def _span(
        self,
        name: str,
        kind: SpanKind,
        attributes: Mapping[str, Any] | None = None,
        context: otel_context.Context | None = None,
    ) -> AbstractContextManager[trace.Span]:
        # Exceptions are not recorded, because their texts may contain what people wrote.
        return self._tracer.start_as_current_span(
            name, context, kind, attributes, record_exception=False, set_status_on_exception=False
        )


def make_tracer(variables: Mapping[str, str]) -> Tracer:
    """Create a tracer whose spans go where the variables say, or where the program has already set OpenTelemetry up.

    Raises:
        ImportError: the exporter that the variables name is not installed.
    """
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        provider = _provider(variables)
        trace.set_tracer_provider(provider)
    return OpenTelemetryTracer(provider.get_tracer("netra"))


def _provider(variables: Mapping[str, str]) -> TracerProvider:
    own: dict[str, str] = {"service.instance.id": this_process.process_id}
    if not variables.get("OTEL_SERVICE_NAME") and "service.name" not in variables.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        own["service.name"] = f"netra-{this_process.kind}"
    provider = TracerProvider(resource=Resource.create(own), shutdown_on_exit=False)  # the drain does that
    provider.add_span_processor(BatchSpanProcessor(_exporter(variables)))

    async def flush() -> None:
        # In a daemon thread: an unavailable collector must not keep the process alive.
        done = asyncio.Event()
        loop = asyncio.get_running_loop()

        def shut_down() -> None:
            provider.shutdown()
            loop.call_soon_threadsafe(done.set)

        threading.Thread(target=shut_down, name="netra-traces", daemon=True).start()
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                await done.wait()
        except TimeoutError:
            return

    lifecycle.on_drain(flush)
    return provider


def _exporter(variables: Mapping[str, str]) -> Any:
    name = variables.get("OTEL_TRACES_EXPORTER", "").strip() or "otlp"
    if name == "otlp":
        protocol = variables.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or variables.get("OTEL_EXPORTER_OTLP_PROTOCOL")
        name = "otlp_proto_grpc" if protocol == "grpc" else "otlp_proto_http"
    for found in entry_points(group="opentelemetry_traces_exporter", name=name):
        return found.load()()
    raise ImportError(f"no exporter named {name} is installed")


def _context_of(carried: str) -> otel_context.Context:
    """The context stored with a run. If there is none, an empty one, with which the span begins a new trace."""
    return _carrier.extract({_FIELD: carried}, otel_context.Context())
