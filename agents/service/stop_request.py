"""Stops a run from synchronous code without an event loop, such as the admin."""

from __future__ import annotations

from netra.agents.executors import make_executor
from netra.agents.ledger.endings import Stopped, StopRun
from netra.agents.models import OPEN, Run
from netra.agents.running.bell import RUNNERS_NEWS
from netra.agents.service.dispatcher import enqueue_next
from websocket_core.bell import ring_after_commit
from websocket_core.errors import RunFinished
from websocket_core.journal import commit_now


def request_stop(run: Run, reason: str, *, actor_id: str) -> bool:
    """Ask a run to stop. Blocks until the request is committed.

    Args:
        actor_id: the id of the user who asks.

    Returns:
        `False` if the run was already over.
    """
    if run.status not in OPEN:
        return False
    thread_id = run.thread.thread_id
    try:
        stopped: Stopped = commit_now(
            StopRun(run.owner_id, thread_id, run.run_id, reason or "stopped", actor_id=actor_id)
        )
    except RunFinished:
        return False
    executor = make_executor()
    if stopped.freed and not executor.claims_at_start:
        enqueue_next(executor, run.owner_id, thread_id)
    elif stopped.freed or stopped.asked:
        ring_after_commit(RUNNERS_NEWS)
    return True
