"""Describes a run and an approval to receivers of signals and to `NETRA_COST`, from the database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from netra.agents.models import Approval, Decision, Run, RunStatus
from netra.agents.usage.reported import Usage, usage_of
from websocket_core.models import Event


@dataclass(frozen=True, slots=True)
class RunFailure:
    """Why a run failed: `agent_failed.code` and `message` of the wire, and the incident id to look up in the log."""

    code: str
    message: str
    incident: str = ""

    def __str__(self) -> str:
        return self.message or self.code


@dataclass(frozen=True, slots=True)
class RunFacts:
    """The current state of a run. The attributes are those of `netra.Run`."""

    run_id: str
    thread_id: str
    user_id: str
    agent_type: str
    input: Any
    status: str
    result: Any
    error: RunFailure | None
    usage: Usage
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class ApprovalFacts:
    """A question to a person, with its answer. The last four fields are `None` until it is answered."""

    approval_id: str
    tool_call_id: str
    tool_name: str
    arguments: Any
    message: str
    created_at: datetime
    expires_at: datetime
    approved: bool | None = None
    value: Any = None
    by: str | None = None
    kind: str = "approval"
    edited_arguments: Any = None  # those with which the call runs, where the answer changed them
    decided_at: datetime | None = None


_describe: Callable[[Run], Any] | None = None


def describe_runs_by(describe: Callable[[Run], Any]) -> None:
    """Pass the result of `describe` to receivers and `NETRA_COST`, instead of `RunFacts`.

    It is the class `netra.Run` of the site's API, which this room may not import.
    """
    global _describe
    _describe = describe


def described(run: Run) -> Any:
    """The description of a run that was loaded with its thread: a `netra.Run` if the app `netra` is installed."""
    return run_facts(run) if _describe is None else _describe(run)


def run_facts(run: Run) -> RunFacts:
    """The description of a run without the app `netra`."""
    failed = run.status == RunStatus.FAILED
    return RunFacts(
        run_id=run.run_id,
        thread_id=run.thread.thread_id,
        user_id=run.owner_id,
        agent_type=run.agent_type,
        input=msgspec.json.decode(run.input),
        status=str(run.status),
        result=msgspec.json.decode(run.result) if run.result else None,
        error=RunFailure(run.code, _message(run), run.incident) if failed else None,
        usage=usage_of(run.usage, run.input_tokens, run.output_tokens, run.total_tokens, run.cost),
        started_at=run.started_at,
        ended_at=run.finished_at,
    )


def approval_facts(approval: Approval) -> ApprovalFacts:
    """The description of an approval."""
    told = ApprovalFacts(
        approval_id=approval.approval_id,
        tool_call_id=approval.tool_call_id,
        tool_name=approval.tool_name,
        arguments=msgspec.json.decode(approval.arguments),
        message=approval.message,
        created_at=approval.created_at,
        expires_at=approval.expires_at,
        kind=approval.kind,
    )
    decision = Decision.objects.filter(pk=approval.pk).first()
    if decision is None:
        return told
    answer = {"approved": decision.approved, "value": msgspec.json.decode(decision.value), "by": decision.by}
    if decision.arguments:
        answer["edited_arguments"] = msgspec.json.decode(decision.arguments)
    known = {name: getattr(told, name) for name in ApprovalFacts.__slots__}
    return ApprovalFacts(**{**known, **answer, "decided_at": decision.decided_at})


def _message(run: Run) -> str:
    """The text that the user was shown, or `""` if retention has deleted the event."""
    frame = Event.objects.filter(thread_id=run.thread_id, seq=run.last_seq or 0).values_list("frame", flat=True).first()
    return str(msgspec.json.decode(frame)["data"].get("message", "")) if frame else ""
