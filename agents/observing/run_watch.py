"""What operators see of one execution: log lines, metrics and spans."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from netra.agents.ledger.leases import FinishRun
from netra.agents.ledger.moves import TERMINAL_STATUS, Lease
from netra.agents.observing import metrics
from netra.agents.observing.tracing import Span, Tracer
from websocket_core.errors import LeaseLostError
from websocket_core.gateway import get_gateway
from websocket_core.process import log_context

log = logging.getLogger(__name__)


class RunWatch:
    """Observes one execution."""

    def __init__(self, lease: Lease, span: Span, tracer: Tracer) -> None:
        self._lease, self._span, self._tracer = lease, span, tracer
        self._began = time.monotonic()

    async def end(self, finish: FinishRun) -> Lease | None:
        """Commit the run's terminal event. Returns the lease of the thread's next run, if this process takes it."""
        event_type = finish.terminal.event_type
        with self._tracer.ending(event_type):
            following = await get_gateway().journal.submit(finish)
        seconds = time.monotonic() - self._began
        status, code = str(TERMINAL_STATUS[event_type]), finish.terminal.data.get("code", "")
        metrics.run_seconds.labels(agent=self._lease.agent_type).observe(seconds)
        ended(self._lease.agent_type, status, code)
        self._span.outcome(code or status, failed=event_type == "agent_failed")
        log.info("run ended", extra={"status": status, "code": code, "seconds": round(seconds, 3)})
        return following

    def rest(self) -> None:
        """Record that the run rests in the database."""
        self._span.outcome("rests")
        log.info("run rests")


@contextmanager
def watch(lease: Lease, tracer: Tracer) -> Iterator[RunWatch]:
    """Observe the execution of a run for the duration of the block."""
    log_context.bind(lease.owner_id, thread=lease.thread_id, run=lease.run_id, request=lease.request_id)
    if lease.created_at is not None and not lease.resting:
        metrics.run_wait_seconds.observe(max(0.0, (datetime.now(UTC) - lease.created_at).total_seconds()))
    with metrics.runs_executing.track_inprogress(), tracer.executing(lease) as span:
        log_context.bind(lease.owner_id, trace=span.trace_id)
        log.info("run goes on" if lease.resting else "run begins", extra={"agent": lease.agent_type})
        try:
            yield RunWatch(lease, span, tracer)
        except LeaseLostError:
            span.outcome("lease_lost", failed=True)
            raise
        except Exception:
            span.outcome("internal", failed=True)
            raise


def ended(agent: str, status: str, code: str = "") -> None:
    """Count a run that ended in this process."""
    metrics.runs_ended.labels(agent=agent, status=status, code=code).inc()
