"""Traces of runs: from the frame that starts one to its last event, over all the processes on the way.

Off, and without cost, unless OpenTelemetry's own variables say where spans go; nothing of it is imported then. How a
run's spans hang together: `start_agent` (the server that got the frame) > `record run` (its transaction) > `run` (the
process that executes it, maybe after a queue) > `last event` (the transaction that ends it). The `trace` column of the
run carries the context from one process to the next.
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

# Named, not imported: its libraries are optional, and take their time.
OPENTELEMETRY = "netra.agents.observing.opentelemetry_tracer.make_tracer"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


class Span(Protocol):
    """What is told about a piece of work."""

    trace_id: str
    """32 hexadecimal digits; empty while tracing is off."""

    def about(self, agent: str, thread_id: str, run_id: str) -> None:
        """Say which run it is about."""

    def outcome(self, outcome: str, *, failed: bool = False) -> None:
        """Say how it ended, in a word."""


class Tracer(Protocol):
    """Makes spans. None of its methods raises, and none waits."""

    def starting(self, user_id: str, connection_id: str | None, request_id: str | None) -> AbstractContextManager[Span]:
        """Somebody asks for a run."""

    def recording(self) -> AbstractContextManager[str]:
        """The run is recorded; gives what has to be kept with it."""

    def executing(self, lease: Lease) -> AbstractContextManager[Span]:
        """The run is executed; spans that its agent makes are children of this one."""

    def ending(self, event_type: str, trace: str | None = None) -> AbstractContextManager[None]:
        """The run's last event is committed: by who executes it, or, with what was kept, by somebody else."""


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
    """Whether OpenTelemetry's variables ask for traces."""
    if variables.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = variables.get("OTEL_TRACES_EXPORTER", "").strip()
    if exporter:
        return exporter != "none"
    return any(variables.get(name, "").strip() for name in ENDPOINTS)


def make_tracer() -> Tracer:
    """A tracer as the environment's variables want it. When tracing is on, the first call may take a second."""
    if not is_wanted(os.environ):
        return _NoTracer()
    try:
        tracer: Tracer = import_string(OPENTELEMETRY)(os.environ)
        return tracer
    except ImportError as error:
        log.warning(
            "OTEL_* variables ask for traces, but %s. Install opentelemetry-sdk and "
            "opentelemetry-exporter-otlp-proto-http, or unset them",
            error,
        )
    except Exception as error:  # noqa: BLE001 - traces are for people who look; nothing may depend on them
        log.warning("No traces: OpenTelemetry cannot be set up (%s: %s)", type(error).__name__, error)
    return _NoTracer()
