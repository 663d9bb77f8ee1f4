"""Queries about runs, for the runtime.

They are synchronous functions for `db.read`, and look everything up by owner.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from django.db.models import F, Max
from django.db.models.functions import Coalesce

from netra.agents.authoring.facts import Decision, PastRun
from netra.agents.conf import conf
from netra.agents.models import ACTIVE, OPEN, Memory, Run
from netra.agents.models import Decision as DecisionRow
from websocket_core.conf import conf as delivery_conf
from websocket_core.journal.reading import grammar_of
from websocket_core.models import Process, Thread
from websocket_core.protocols.run_service import RunState
from websocket_core.wire import RunGrammar

log = logging.getLogger(__name__)


_HISTORY_PAGE = 10


class RunKey(NamedTuple):
    """The location and state of a run."""

    thread_id: str
    status: str
    first_seq: int  # of its first event, or of the thread's next event if it has none
    agent_type: str


def find_run(owner_id: str, run_id: str) -> RunKey | None:
    """The user's run with this id."""
    row = (
        Run.objects.filter(
            owner_id=owner_id, run_id=run_id, thread__owner_id=owner_id
        )  # runs of deleted threads belong to nobody
        .values_list("thread__thread_id", "status", Coalesce("first_seq", F("thread__last_seq") + 1), "agent_type")
        .first()
    )
    return None if row is None else RunKey(*row)


def thread_states(owner_id: str, thread_ids: Sequence[str]) -> dict[str, RunState]:
    """The active run of each of these threads, otherwise the latest."""
    runs = Run.objects.filter(owner_id=owner_id, thread__thread_id__in=thread_ids)
    newest = [row["newest"] for row in runs.values("thread").annotate(newest=Max("pk"))]
    states = {
        thread_id: RunState(run_id, status)
        for thread_id, run_id, status in Run.objects.filter(pk__in=newest).values_list(
            "thread__thread_id", "run_id", "status"
        )
    }
    for thread_id, run_id, status in runs.filter(status__in=ACTIVE).values_list(
        "thread__thread_id", "run_id", "status"
    ):
        states[thread_id] = RunState(run_id, status)
    return states


def history(owner_id: str, thread_id: str, before: int | None = None) -> list[PastRun]:
    """Finished runs of the thread, oldest first: all of them, or those before the run with this primary key.

    Only the newest ones, within `HISTORY_RUNS` and `HISTORY_BYTES`. At most one page beyond that is read.
    """
    runs = Run.objects.filter(owner_id=owner_id, thread__thread_id=thread_id).exclude(status__in=OPEN)
    if before is not None:
        runs = runs.filter(pk__lt=before)
    fields = ("run_id", "input", "result", "status", "agent_type")
    found: list[PastRun] = []
    left = conf.HISTORY_BYTES
    for first in range(0, conf.HISTORY_RUNS, _HISTORY_PAGE):
        rows = runs.order_by("-pk").values_list(*fields)[first : min(first + _HISTORY_PAGE, conf.HISTORY_RUNS)]
        for run_id, given, result, status, agent_type in rows:
            left -= len(given.encode()) + len(result.encode())
            if left < 0:
                return found[::-1]
            value = msgspec.json.decode(result) if result else None
            found.append(PastRun(run_id, msgspec.json.decode(given), value, status, agent_type))
        if len(rows) < _HISTORY_PAGE:
            break
    return found[::-1]


def grammar_so_far(owner_id: str, thread_id: str, run_id: str) -> RunGrammar:
    """The grammar's state after all events of a run that has begun."""
    thread_pk = Thread.objects.filter(owner_id=owner_id, thread_id=thread_id).values_list("pk").first()
    if thread_pk is None:
        return RunGrammar()
    runs = Run.objects.filter(owner_id=owner_id, run_id=run_id)
    first_seq = runs.values_list("first_seq", flat=True).first() or 0  # a run outside the runtime has no row
    return grammar_of(*thread_pk, run_id, first_seq)


def memory(owner_id: str, thread_id: str, key: str) -> bytes | None:
    """The bytes remembered for the thread."""
    row = Memory.objects.filter(thread__owner_id=owner_id, thread__thread_id=thread_id, key=key).first()
    return None if row is None else bytes(row.data)


def decisions_of(run_pk: int) -> dict[str, Decision]:
    """Every decision of a run, by tool call."""
    rows = DecisionRow.objects.filter(approval__run_id=run_pk).select_related("approval")
    return {row.approval.tool_call_id: _decision(row) for row in rows}


def decisions(approvals: Collection[tuple[str, str]]) -> dict[tuple[str, str], Decision]:
    """The existing decisions for these `(owner_id, approval_id)`."""
    ids = {approval_id for _, approval_id in approvals}
    rows = DecisionRow.objects.filter(approval__approval_id__in=ids).select_related("approval")
    found = {(row.approval.owner_id, row.approval.approval_id): _decision(row) for row in rows}
    return {key: decision for key, decision in found.items() if key in approvals}


def _decision(row: DecisionRow) -> Decision:
    approved, value, arguments, asked = row.approved, None, None, row.approval
    try:
        value = msgspec.json.decode(row.value)
        arguments = msgspec.json.decode(row.arguments or asked.arguments)
    except msgspec.DecodeError:  # one query serves all waiting runs: one bad row must not stop the others
        log.error("approval %s: its answer cannot be read and counts as denied", row.approval.approval_id)
        approved = False
    edited = bool(row.arguments)
    return Decision(approved, value, row.by, asked.tool_call_id, asked.tool_name, arguments, edited)


def somebody_serves() -> bool:
    """Whether a server process has a recent heartbeat."""
    since = datetime.now(UTC) - timedelta(seconds=delivery_conf.PROCESS_TIMEOUT)
    return Process.objects.filter(kind="server", stopped_at=None, heartbeat_at__gte=since).exists()


class Wish(NamedTuple):
    """What the database says about a run that a process holds."""

    stop: bool
    reason: str
    worker_id: str
    status: str


def wishes(run_pks: Collection[int]) -> dict[int, Wish]:
    """The `Wish` for each of these runs."""
    fields = ("pk", "stop_requested_at", "stop_reason", "worker_id", "status")
    rows: Any = Run.objects.filter(pk__in=run_pks).values_list(*fields)
    return {pk: Wish(at is not None, reason, worker_id, status) for pk, at, reason, worker_id, status in rows}
