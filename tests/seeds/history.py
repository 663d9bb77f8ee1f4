"""Threads, runs and their events as a server would have written them, without running a server."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from netra.agents.models import ACTIVE, Approval, Decision, Run, RunStatus
from websocket_core.ids import new_id
from websocket_core.models import Connection, Event, Process, Thread
from websocket_core.wire.events import frame, timestamp

ENDS = {
    "agent_completed": RunStatus.COMPLETED,
    "agent_failed": RunStatus.FAILED,
    "agent_cancelled": RunStatus.CANCELLED,
}
Step = tuple[float, str, dict[str, Any]]  # seconds after the run was made, event type, data


def make_process(kind: str = "server", *, now: datetime | None = None, **values: Any) -> Process:
    """A process that is alive."""
    now = now or datetime.now(UTC)
    defaults = {"host": "web-1", "pid": 4711, "started_at": now - timedelta(hours=2), "heartbeat_at": now}
    return Process.objects.create(process_id=new_id(), kind=kind, **(defaults | values))


def make_connection(process: Process, user_id: str, *, now: datetime | None = None, **values: Any) -> Connection:
    """An open connection."""
    now = now or datetime.now(UTC)
    defaults = {
        "credential": "session",
        "client": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
        "connected_at": now - timedelta(minutes=5),
        "last_seen_at": now,
    }
    return Connection.objects.create(connection_id=new_id(), user_id=user_id, process=process, **(defaults | values))


def make_thread(user_id: str, title: str = "", *, at: datetime | None = None, **values: Any) -> Thread:
    """An empty thread."""
    at = at or datetime.now(UTC)
    defaults = {"thread_id": new_id(), "created_at": at, "updated_at": at}
    return Thread.objects.create(owner_id=user_id, title=title, **(defaults | values))


def make_run(thread: Thread, steps: Sequence[Step] = (), *, at: datetime | None = None, **values: Any) -> Run:
    """A run with these events, at the end of its thread. Its status follows from the last event, unless given."""
    at = at or datetime.now(UTC)
    defaults: dict[str, Any] = {"run_id": new_id(), "agent_type": "test", "owner_id": thread.owner_id, "created_at": at}
    run = Run(thread=thread, **(defaults | values))
    for seconds, event_type, data in steps:
        moment = at + timedelta(seconds=seconds)
        thread.last_seq += 1
        text = frame(event_type, thread.thread_id, run.run_id, thread.last_seq, timestamp(moment), json.dumps(data))
        Event.objects.create(
            thread=thread, seq=thread.last_seq, run_id=run.run_id, event_type=event_type, frame=text, created_at=moment
        )
        run.first_seq = run.first_seq or thread.last_seq
        if event_type == "agent_started":
            run.started_at = moment
            run.status = values.get("status", RunStatus.RUNNING)
        if event_type in ENDS:
            run.status, run.finished_at, run.last_seq = ENDS[event_type], moment, thread.last_seq
            run.code = data.get("code", "")
            run.result = json.dumps(data["result"]) if "result" in data else ""
        thread.updated_at = moment
    run.save()
    if run.status in ACTIVE:
        thread.active_run_id = run.run_id
    thread.save()
    return run


def make_approval(run: Run, *, tool_name: str = "send_mail", at: datetime | None = None, **values: Any) -> Approval:
    """A pending approval of a run."""
    at = at or datetime.now(UTC)
    defaults = {
        "approval_id": new_id(),
        "tool_call_id": new_id(),
        "arguments": '{"to":"team@example.org"}',
        "arguments_digest": "0" * 64,
        "message": "May I send this mail?",
        "created_at": at,
        "expires_at": at + timedelta(days=1),
    }
    return Approval.objects.create(owner_id=run.owner_id, run=run, tool_name=tool_name, **(defaults | values))


def decide(approval: Approval, *, approved: bool, by: str = "user", at: datetime | None = None) -> Decision:
    """Decide an approval."""
    actor_id = approval.owner_id if by == "user" else ""
    return Decision.objects.create(
        approval=approval, approved=approved, by=by, actor_id=actor_id, decided_at=at or datetime.now(UTC)
    )
