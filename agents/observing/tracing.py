"""Traces of runs, from the frame that starts one to its terminal event, across all processes involved.

Tracing is off, and costs nothing, unless OpenTelemetry's own variables say where spans go; nothing of it is imported
then. The spans of a run are nested: `start_agent` (the server that received the frame) > `record run` (its transaction)
> `run` (the process that executes it, possibly after a queue) > `last event` (the transaction that ends it). The run's
`trace` column passes the context from one process to the next.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from django.utils.module_loading import import_string

from netra.agents.ledger.moves import Lease

log = logging.getLogger(__name__)

# Named, not imported: its libraries are optional, and importing them takes time.
OPENTELEMETRY = "netra.agents.observing.opentelemetry_tracer.make_tracer"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


class Span(Protocol):
    """A traced piece of work."""

    trace_id: str
    """32 hexadecimal digits; empty if tracing is off."""

    def about(self, agent: str, thread_id: str, run_id: str) -> None:
        """Set the run that the span is about."""

    def outcome(self, outcome: str, *, failed: bool = False) -> None:
        """Set the outcome, in one word."""


class Tracer(Protocol):
    """Creates spans. Its methods never raise and never wait."""

    def starting(self, user_id: str, connection_id: str | None, request_id: str | None) -> AbstractContextManager[Span]:
        """A span for the request to start a run."""

    def recording(self) -> AbstractContextManager[str]:
        """A span for the recording of the run. Yields the context to be stored with the run."""

    def executing(self, lease: Lease) -> AbstractContextManager[Span]:
        """A span for the execution of the run. Spans of the agent become its children."""

    def ending(self, event_type: str, trace: str | None = None) -> AbstractContextManager[None]:
        """A span for the commit of the terminal event. With a stored context, if another process ends the run."""


class _NoSpan:
    trace_id = ""

    def about(self, agent: str, thread_id: str, run_id: str) -> None:
        pass

    def outcome(self, outcome: str, *, failed: bool = False) -> None:
        pass


_NO_SPAN: AbstractContextManager[Span] = nullcontext(_NoSpan())
_NO_TRACE = nullcontext("")
_NOTHING = nullcontext()


class _NoTracer:
    def starting(self, user_id: str, connection_id: str | None, request_id: str | None) -> AbstractContextManager[Span]:
        return _NO_SPAN

    def recording(self) -> AbstractContextManager[str]:
        return _NO_TRACE

    def executing(self, lease: Lease) -> AbstractContextManager[Span]:
        return _NO_SPAN

    def ending(self, event_type: str, trace: str | None = None) -> AbstractContextManager[None]:
        return _NOTHING


def is_wanted(variables: Mapping[str, str]) -> bool:
    """Whether OpenTelemetry's variables request traces."""
    if variables.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = variables.get("OTEL_TRACES_EXPORTER", "").strip()
    if exporter:
        return exporter != "none"
    return any(variables.get(name, "").strip() for name in ENDPOINTS)


def make_tracer() -> Tracer:
    """Create a tracer according to the environment variables. If tracing is on, the first call may take a second."""
    if not is_wanted(os.environ):
        return _NoTracer()
    try:
        tracer: Tracer = import_string(OPENTELEMETRY)(os.environ)
        return tracer
    except ImportError as error:
        log.warning(
            "OTEL_* variables request traces, but %s. Install opentelemetry-sdk and "
            "opentelemetry-exporter-otlp-proto-http, or unset them",
            error,
        )
    except Exception as error:  # noqa: BLE001 - tracing must not affect anything else
        log.warning("No traces: OpenTelemetry cannot be set up (%s: %s)", type(error).__name__, error)
    return _NoTracer()
