"""What operators see of runs: log lines, metrics and spans.

`run_watch.py` observes one execution and uses the rest: `metrics.py` (Prometheus), `tracing.py` (the interface of
spans) and `opentelemetry_tracer.py`, which is imported only if tracing is on. `worker_metrics.py` serves the metrics of
workers, and `metrics_access.py` decides who may read metrics. The runner and the service import this room. Read
`run_watch.py` first.
"""

from __future__ import annotations

from netra.agents.observing.tracing import Span, Tracer, make_tracer

__all__ = ["Span", "Tracer", "make_tracer"]
