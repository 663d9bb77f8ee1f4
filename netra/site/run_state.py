"""Reads the state of a run from the database. Blocking."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from netra.agents.models import OPEN, RunStatus
from netra.agents.models import Run as RunRow
from netra.agents.service.requested_starts import requested
from netra.agents.usage.reported import Usage, usage_of
from websocket_core.models import Event

NOTHING = Usage()


@dataclass(frozen=True, slots=True)
class RunError:
    """Why a run failed.

    Attributes:
        code: the code of the wire's `agent_failed`.
        message: an explanation for people.
        incident: the id under which the log has details, or `""`.
    """

    code: str
    message: str
    incident: str = ""

    def __str__(self) -> str:
        return self.message or self.code


@dataclass(frozen=True, slots=True)
class RunState:
    """The current state of a run. The attributes are those of `netra.Run`."""

    thread_id: str
    agent_type: str
    input: Any
    status: str = "queued"
    result: Any = None
    error: RunError | None = None
    usage: Usage = NOTHING
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def is_over(self) -> bool:
        """Whether the run has ended."""
        return self.status not in OPEN


_FIELDS = (
    "thread__thread_id",
    "agent_type",
    "input",
    "status",
    "result",
    "usage",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cost",
    "started_at",
    "finished_at",
    "code",
    "incident",
    "thread_id",
    "last_seq",
)


def look(owner_id: str, run_id: str) -> RunState | None:
    """The state of a user's run, or `None`. A run requested in a transaction is `queued` until it starts."""
    # `thread__owner_id` excludes the runs of a deleted thread at once, although their removal takes time.
    rows = RunRow.objects.filter(owner_id=owner_id, run_id=run_id, thread__owner_id=owner_id)
    row = rows.values_list(*_FIELDS).first()
    if row is None:
        start = requested(owner_id, run_id)
        return None if start is None else RunState(start.thread_id or "", start.agent_type, start.input)
    thread_id, agent_type, given, status, result, *used, started_at, ended_at, code, incident, thread_pk, last_seq = row
    told = _terminal_data(thread_pk, last_seq) if last_seq else {}
    return RunState(
        thread_id=thread_id,
        agent_type=agent_type,
        input=msgspec.json.decode(given),
        status=str(status),
        result=msgspec.json.decode(result) if result else None,
        error=RunError(code, told.get("message", ""), incident) if status == RunStatus.FAILED else None,
        usage=usage_of(*used),
        started_at=started_at,
        ended_at=ended_at,
    )


def _terminal_data(thread_pk: int, seq: int) -> dict[str, Any]:
    """The data of the run's last event; empty if retention has deleted it."""
    frame = Event.objects.filter(thread_id=thread_pk, seq=seq).values_list("frame", flat=True).first()
    data: dict[str, Any] = msgspec.json.decode(frame)["data"] if frame else {}
    return data
