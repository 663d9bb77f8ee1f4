"""How a run begins: it is recorded once, and queued or started according to the thread's busy policy."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import msgspec

from netra.agents.conf import conf
from netra.agents.executors import Executor, hand_over
from netra.agents.ledger import statements as ledger_sql
from netra.agents.ledger.endings import cancel_queued, end_resting, request_stop
from netra.agents.ledger.moves import Event, Lease, RunOperation, append, claim
from netra.agents.ledger.statements import RunRow
from netra.agents.models import Run, RunStatus
from websocket_core.database.stored_text import exact, storable
from websocket_core.errors import InvalidAction, RunLimit, ThreadBusy
from websocket_core.ids import NAME_LENGTH, USER_LENGTH, new_id
from websocket_core.journal import ThreadRow, Transaction, size_of
from websocket_core.models import Thread
from websocket_core.protocols.run_service import StartOutcome, StartRequest

TITLE_LENGTH = 80
TRACE_LENGTH = 64
START_BYTES = 1024  # bytes of a start in addition to its input


class Started(NamedTuple):
    """Result of `StartRun`."""

    outcome: StartOutcome
    lease: Lease | None = None  # for the inline executor, which executes it
    stopped: bool = False  # a running run has to be told to stop
    unclaimed: bool = False  # the run waits for a process that can execute it


class StartRun(RunOperation[Started]):
    """Create a run, or find the one with its id. Apply the thread's busy policy.

    Args:
        request: has the agent's canonical name. A thread or a run that it does not name gets a new id.
        input: the request's input as JSON.
        worker_id: the process that executes the run at once; empty if this process cannot.
        executor: executes the run otherwise.

    Raises (from `apply`): InvalidAction, ThreadBusy, RunLimit, QuotaExceeded.
    """

    __slots__ = (
        *(
            "_trace",
            "actor_id",
            "agent_type",
            "executor",
            "if_busy",
            "input",
            "request_id",
            "run_id",
            "thread_given",
            "worker_id",
        ),
    )

    def __init__(self, request: StartRequest, input: str, *, worker_id: str, executor: Executor) -> None:
        self.run_id = exact(request.run_id or new_id(), "run_id", NAME_LENGTH)
        self.input = exact(input, "input")
        self.actor_id = exact(request.user_id, "user_id", USER_LENGTH)
        self.agent_type = exact(request.agent_type, "agent_type", NAME_LENGTH)
        self.request_id = None if request.request_id is None else exact(request.request_id, "request_id", NAME_LENGTH)
        self.worker_id = exact(worker_id, "worker_id", NAME_LENGTH)
        super().__init__(self.actor_id, request.thread_id or new_id(), creates=True, size=len(input) + 1024)
        self.thread_given, self.if_busy, self.executor = request.thread_id is not None, request.if_busy, executor
        self._trace = ""

    @property
    def trace(self) -> str:
        """See `Run.trace`."""
        return self._trace

    @trace.setter
    def trace(self, trace: str) -> None:
        # The run matters more than its trace: a trace that cannot be stored is dropped.
        self._trace = trace if trace.isascii() and trace.isprintable() and len(trace) <= TRACE_LENGTH else ""

    def apply(self, transaction: Transaction) -> Started:
        row = transaction.thread(self.key)
        accepted = False
        try:
            started = self._start(transaction, row)
            accepted = not started.outcome.existing
            return started
        finally:
            if not accepted and not row.last_seq:  # the thread may have been created only for this start
                transaction.at_end.append(partial(_drop_unused, row))

    def _start(self, transaction: Transaction, row: ThreadRow) -> Started:
        owner_id = self.key[0]
        # These are all open runs: any other start of this user is committed, or waits for the lock on the user's day.
        known = ledger_sql.run_and_open_runs(owner_id, self.run_id)
        if any(run.run_id == self.run_id for run in known):
            if existing := self._existing(row):
                return existing
            known = [run for run in known if run.run_id != self.run_id]
        ahead = [run for run in known if run.thread_pk == row.pk]
        if ahead and self.if_busy == "reject":
            active = next((run for run in ahead if run.status != RunStatus.QUEUED), ahead[0])
            raise ThreadBusy(thread_id=self.key[1], run_id=self.run_id, active_run_id=active.run_id)
        replaced = [run for run in ahead if run.status == RunStatus.QUEUED or run.resting]  # these end at once
        taken = len(known) - (len(replaced) if self.if_busy == "cancel" else 0)
        if taken >= conf.RUNS_PER_USER:
            raise RunLimit(
                f"You have {taken} queued and running runs. Wait for one to end, or stop one.", run_id=self.run_id
            )
        size = size_of(self.input)
        transaction.require_room(row, 2 * size + START_BYTES)  # the run's row, and `agent_started`
        pk = ledger_sql.insert_queued(
            owner_id=owner_id,
            actor_id=self.actor_id,
            run_id=self.run_id,
            thread_pk=row.pk,
            agent_type=self.agent_type,
            input=self.input,
            request_id=self.request_id or "",
            trace=self.trace,
            now=transaction.now,
        )
        if pk is None:  # the other process starts it in another thread, which is not locked here
            existing = self._existing(row)
            assert existing is not None  # another process has just recorded it, so its thread is not deleted
            return existing
        transaction.count(row, size)
        stopped = False
        if ahead and self.if_busy == "cancel":
            ahead, stopped = self._replace(transaction, row, ahead)
        self._note_thread(transaction, row)
        outcome = StartOutcome(self.key[1], self.run_id, existing=False, first_seq=None)
        if ahead:
            data: dict[str, Any] = {"position": len(ahead)}
            if self.request_id is not None:
                data["request_id"] = self.request_id
            seq = append(transaction, row, self.run_id, Event("run_queued", data, actor_id=self.actor_id))
            Run.objects.filter(pk=pk).update(first_seq=seq)
            return Started(outcome, stopped=stopped)
        if self.executor.claims_at_start and not self.worker_id:
            return Started(outcome, stopped=stopped, unclaimed=True)
        if self.executor.claims_at_start:
            status = RunStatus.QUEUED
            request_id = self.request_id or ""
            run = RunRow(
                *(pk, self.run_id, row.pk, status, None, False, self.agent_type, self.input, request_id),
                *(self.trace, self.actor_id),
            )
            return Started(outcome, claim(transaction, row, run, self.worker_id))
        hand_over(self.executor, Run.objects.get(pk=pk))
        return Started(outcome)

    def _existing(self, row: ThreadRow) -> Started | None:
        """The answer to a start whose `run_id` was used before.

        `None` if that run belongs to a deleted thread. The run is then deleted, so that its id is free again.

        Raises:
            InvalidAction: the request names a different thread.
        """
        run = Run.objects.select_related("thread").get(owner_id=self.key[0], run_id=self.run_id)
        if run.thread.owner_id != self.key[0]:
            run.delete()
            return None
        if self.thread_given and run.thread.thread_id != self.key[1]:
            raise InvalidAction("This run_id belongs to another thread.", field="thread_id", run_id=run.run_id)
        head = row.last_seq if run.thread.pk == row.pk else run.thread.last_seq
        return Started(
            StartOutcome(run.thread.thread_id, run.run_id, existing=True, first_seq=run.first_seq or head + 1)
        )

    def _replace(self, transaction: Transaction, row: ThreadRow, ahead: list[RunRow]) -> tuple[list[RunRow], bool]:
        """Apply `if_busy: cancel`: end queued runs, and ask the active one to stop. Returns the runs still ahead."""
        active: list[RunRow] = []
        for run in ahead:
            if run.status == RunStatus.QUEUED:
                cancel_queued(transaction, row, run, "replaced", self.actor_id)
            elif run.resting:
                end_resting(transaction, row, run, "replaced", self.actor_id)
            else:
                request_stop(transaction, run.pk, "replaced", self.actor_id)
                active.append(run)
        return active, bool(active)

    def _note_thread(self, transaction: Transaction, row: ThreadRow) -> None:
        """Set a thread's title from its first input. A deleted thread that is used again becomes visible."""
        if row.title and not row.deleted:
            return
        title = row.title or title_of(msgspec.json.decode(self.input), self.agent_type)
        ledger_sql.name_thread(row.pk, title)


def _drop_unused(row: ThreadRow) -> None:
    """Delete a thread without events, unless another operation of this transaction has used it."""
    if not row.last_seq:
        Thread.objects.filter(pk=row.pk, last_seq=0, runs=None).delete()


def title_of(input: Any, agent_type: str) -> str:
    """A thread's title from its first input: the message, or the first text, on one line."""
    values = [input.get("message"), input.get("prompt"), *input.values()] if isinstance(input, dict) else [input]
    text = next((value for value in values if isinstance(value, str) and value.strip()), "")
    line = " ".join(storable(text).split())
    if not line:
        return agent_type[:TITLE_LENGTH]
    return line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1].rstrip() + "…"
