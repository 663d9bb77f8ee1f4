"""The API's queries. Synchronous functions for `db.read`; threads and runs are looked up by owner,
tokens by user.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from django.db.models import Q

from netra.agents.ledger.reading import thread_states
from netra.agents.models import OPEN, Run
from websocket_core.errors import InvalidAction, NotFound
from websocket_core.ids import NAME_PATTERN
from websocket_core.models import AccessToken, Thread
from websocket_core.protocols.run_service import RunState
from websocket_core.wire import events
from websocket_core.wire.frames import moment

# Where a page of threads ends. The time alone is not enough: threads that changed in one commit share it.
THREAD_CURSOR = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z" + f"(~{NAME_PATTERN})?$"


def threads(owner_id: str, limit: int, before: str | None) -> list[dict[str, Any]]:
    """The user's threads, newest first.

    Raises:
        InvalidAction: `before` is not a time.
    """
    rows = Thread.objects.filter(owner_id=owner_id, deleted_at=None)
    if before is not None:
        moment_text, _, thread_id = before.partition("~")
        try:
            at = datetime.fromisoformat(moment_text)
        except ValueError:
            raise InvalidAction("This is not a time; send a `next_before`.", field="before") from None
        older = Q(updated_at__lt=at)
        rows = rows.filter(older | Q(updated_at=at, thread_id__lt=thread_id) if thread_id else older)
    return _described(owner_id, list(rows.order_by("-updated_at", "-thread_id")[:limit]))


def thread_cursor(thread: dict[str, Any]) -> str:
    """The `before` of the page after this thread."""
    return f"{thread['updated_at']}~{thread['thread_id']}"


def thread(owner_id: str, thread_id: str) -> dict[str, Any]:
    """One thread.

    Raises:
        NotFound: the user has none of this name.
    """
    return _described(owner_id, [_thread(owner_id, thread_id)])[0]


def runs(owner_id: str, thread_id: str, limit: int, before: str | None) -> list[dict[str, Any]]:
    """Runs of a thread, newest first, older than a given run."""
    row = _thread(owner_id, thread_id)
    found = row.runs.all()
    if before is not None:
        found = found.filter(pk__lt=_run(owner_id, before).pk)
    return [_run_fields(run, thread_id) for run in found.order_by("-pk")[:limit]]


def run(owner_id: str, run_id: str) -> dict[str, Any]:
    """One run."""
    found = _run(owner_id, run_id)
    return _run_fields(found, found.thread.thread_id)


def own_tokens(user_id: str, limit: int, before: int | None) -> list[dict[str, Any]]:
    """The user's tokens, newest first, older than a given one, without their texts."""
    rows = AccessToken.objects.filter(user_id=user_id)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return [token_fields(token) for token in rows.order_by("-pk")[:limit]]


def token_fields(token: AccessToken) -> dict[str, Any]:
    """A token as the API shows it."""
    return {
        "id": token.pk,
        "label": token.label,
        "created_at": moment(token.created_at),
        "expires_at": moment(token.expires_at),
        "revoked_at": moment(token.revoked_at),
    }


def _thread(owner_id: str, thread_id: str) -> Thread:
    row = Thread.objects.filter(owner_id=owner_id, thread_id=thread_id, deleted_at=None).first()
    if row is None:
        raise NotFound("There is no such thread.", thread_id=thread_id)
    return row


def _run(owner_id: str, run_id: str) -> Run:
    # `thread__owner_id`: nobody owns the runs of a deleted thread any more, however long it takes to remove them.
    found = (
        Run.objects.select_related("thread").filter(owner_id=owner_id, run_id=run_id, thread__owner_id=owner_id).first()
    )
    if found is None:
        raise NotFound("There is no such run.", run_id=run_id)
    return found


def _described(owner_id: str, rows: list[Thread]) -> list[dict[str, Any]]:
    states = thread_states(owner_id, [row.thread_id for row in rows])
    return [
        {
            "thread_id": row.thread_id,
            "title": row.title,
            "last_seq": row.last_seq,
            "first_seq": row.first_seq,
            "active_run_id": state.run_id if state.status in OPEN else None,
            "updated_at": events.timestamp(row.updated_at),
        }
        for row in rows
        for state in [states.get(row.thread_id, RunState())]
    ]


def _run_fields(run: Run, thread_id: str) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "thread_id": thread_id,
        "agent_type": run.agent_type,
        "status": run.status,
        "input": msgspec.json.decode(run.input),
        "result": msgspec.json.decode(run.result) if run.result else None,
        "code": run.code or None,
        "incident": run.incident or None,
        "created_at": moment(run.created_at),
        "started_at": moment(run.started_at),
        "finished_at": moment(run.finished_at),
    }
