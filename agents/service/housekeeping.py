"""What every serving process does for runs beside executing them, from its first connection or request on."""

from __future__ import annotations

from netra.agents.observing.tracing import get_tracer
from netra.agents.registry.registered import discover
from netra.agents.service.runtime import RunRuntime
from netra.agents.service.sweeper import get_sweeper
from netra.agents.service.unclaimed_runs import get_taker


def begin() -> None:
    """Begin in the running event loop."""
    discover()  # before the process is ready; `serve` has done it before it listened
    get_tracer()  # now: with tracing on it takes a moment that no run should wait for
    runtime = RunRuntime()
    get_sweeper(runtime).start()
    get_taker(runtime).start()
