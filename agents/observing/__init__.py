"""What the people who operate Netra see of runs: log lines, numbers, spans.

`run_watch.py` watches one execution and uses the rest: `metrics.py` (Prometheus), `tracing.py` (the port of spans) and
`opentelemetry_tracer.py` behind it, which is named and imported only when tracing is on. `worker_metrics.py` answers
for workers, `metrics_access.py` says who may ask. Runner and service come in. Read `run_watch.py` first.
"""

from __future__ import annotations

from netra.agents.observing.tracing import Span, Tracer, make_tracer

__all__ = ["Span", "Tracer", "make_tracer"]
