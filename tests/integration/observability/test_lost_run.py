"""A run whose process died: its trace gets its end, and it is counted, by whoever ends it."""

from datetime import UTC, datetime, timedelta

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from netra.agents.executors.inline import InlineExecutor
from netra.agents.models import Run
from netra.agents.observing import metrics
from netra.agents.observing.opentelemetry_tracer import OpenTelemetryTracer
from netra.agents.service import RunRuntime
from seeds.history import make_run, make_thread
from websocket_core.database import db
from websocket_core.models import Thread

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def lose_a_run() -> None:
    """A run that was begun long ago and whose lease ran out."""
    past = datetime.now(UTC) - timedelta(minutes=5)
    thread = make_thread("u")
    run = make_run(thread, [(0, "agent_started", {})], status="running", at=past)
    Thread.objects.filter(pk=thread.pk).update(active_run_id=run.run_id)
    Run.objects.filter(pk=run.pk).update(lease_until=past, worker_id="gone", trace=f"00-{TRACE}-{PARENT}-01")


@pytest.mark.django_db(transaction=True)
async def test_run_of_a_dead_process__is_ended_in_its_trace_and_counted() -> None:
    kept = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = OpenTelemetryTracer(provider.get_tracer("test"))
    await db.writer.call(lose_a_run)
    run = await db.read(Run.objects.get)
    counter = metrics.runs_ended.labels(agent=run.agent_type, status="failed", code="worker_lost")
    before = counter._value.get()

    await RunRuntime(InlineExecutor(), tracer).sweeper.sweep()

    assert (await db.read(Run.objects.get)).code == "worker_lost"
    assert counter._value.get() == before + 1
    (span,) = kept.get_finished_spans()
    assert (span.name, span.attributes) == ("last event", {"netra.event_type": "agent_failed"})
    assert span.parent is not None
    assert (f"{span.parent.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, PARENT)
