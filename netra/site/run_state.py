"""What is known of a run. Blocking."""

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
        code: the wire's `agent_failed.code`.
        message: for people.
        incident: where the log tells more; empty where there is nothing more.
    """

    code: str
    message: str
    incident: str = ""

    def __str__(self) -> str:
        return self.message or self.code


@dataclass(frozen=True, slots=True)
class RunState:
    """A run as it stands; the attributes of `netra.Run`."""

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
        """Whether nothing changes any more."""
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
    """The user's run of this id; one that a transaction asked for is queued. `None`: the user has none."""
    # `thread__owner_id`: nobody owns the runs of a deleted thread any more, however long it takes to remove them.
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
    """What the run's last event told; nothing where retention has taken it."""
    frame = Event.objects.filter(thread_id=thread_pk, seq=seq).values_list("frame", flat=True).first()
    data: dict[str, Any] = msgspec.json.decode(frame)["data"] if frame else {}
    return data
