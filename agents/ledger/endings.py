"""How a run ends from outside: its user stops it, a newer run replaces it, or its worker is lost."""

from __future__ import annotations

from typing import NamedTuple

from django.db.models.functions import Now

from netra.agents.conf import conf
from netra.agents.executors import Executor, hand_over
from netra.agents.ledger.moves import REASON_LENGTH, Event, RunOperation, append, end, row_of, run_of, with_usage
from netra.agents.ledger.statements import RunRow
from netra.agents.models import OPEN, Run, RunStatus
from websocket_core.database.stored_text import exact, fitting
from websocket_core.errors import RunFinished
from websocket_core.ids import NAME_LENGTH, USER_LENGTH, new_id
from websocket_core.journal import ThreadRow, Transaction
from websocket_core.journal.reading import grammar_of


class Stopped(NamedTuple):
    """Result of `StopRun`."""

    asked: bool  # a process executes the run and has to be told
    freed: bool = False  # the thread is free: the next queued run can begin


class StopRun(RunOperation[Stopped]):
    """Stop a run for an actor (`actor_id`). Result: `Stopped`.

    Raises (from `apply`): NotFound, RunFinished.
    """

    __slots__ = ("actor_id", "reason", "run_id")
    apart = True

    def __init__(self, owner_id: str, thread_id: str, run_id: str, reason: str, *, actor_id: str) -> None:
        super().__init__(owner_id, thread_id)
        self.actor_id = exact(actor_id, "actor_id", USER_LENGTH)
        self.run_id = exact(run_id, "run_id", NAME_LENGTH)
        self.reason = fitting(reason, "reason", REASON_LENGTH)

    def apply(self, transaction: Transaction) -> Stopped:
        row, run = run_of(transaction, self.key, self.run_id)
        if run.status not in OPEN:
            raise RunFinished(run_id=self.run_id)
        if run.status == RunStatus.QUEUED:
            cancel_queued(transaction, row, row_of(run), self.reason, self.actor_id)
            return Stopped(asked=False)
        if run.resting:
            end_resting(transaction, row, row_of(run), self.reason, self.actor_id)
            return Stopped(asked=False, freed=True)
        request_stop(transaction, run.pk, self.reason, self.actor_id)
        return Stopped(asked=True)


class ReapRun(RunOperation[bool]):
    """End a run whose lease has expired: `agent_failed` `worker_lost`, or `agent_cancelled` if a stop was requested.

    Result: whether the run was ended.

    Args:
        retry: start a new run in its place, unless `NETRA_RETRIES` of them were already lost.
    """

    __slots__ = ("executor", "retry", "run_pk", "terminal", "trace")
    apart = True

    def __init__(self, owner_id: str, thread_id: str, run_pk: int, *, retry: bool, executor: Executor) -> None:
        super().__init__(owner_id, thread_id)
        self.run_pk, self.retry, self.executor = run_pk, retry, executor
        self.trace, self.terminal = "", Event("", {})  # of the ended run; set if it was ended

    def apply(self, transaction: Transaction) -> bool:
        row = transaction.thread(self.key)
        run = Run.objects.filter(pk=self.run_pk, lease_until__lt=Now()).first()
        if run is None or row.active_run_id != run.run_id:
            return False
        closers = open_ends(transaction, row, row_of(run), "cancelled", "The worker was lost.")
        if run.stop_requested_at is not None:
            self.trace = run.trace
            reason = {"reason": run.stop_reason or "stopped"}
            self.terminal = Event("agent_cancelled", with_usage(reason, run.usage))
            end(transaction, row, run.pk, run.run_id, closers, self.terminal)
            return True
        # A run that kills its worker (out of memory, a crash in C) must not do so for ever: all other runs of the
        # worker are lost with it.
        retry = self.retry and run.attempt <= conf.RETRIES
        data = {"code": "worker_lost", "message": _lost(run.attempt, gave_up=self.retry and not retry)}
        if retry:
            data |= {
                "message": "The process that ran the agent was lost; a new run was started.",
                "retried_as": new_id(),
            }
        self.trace, self.terminal = run.trace, Event("agent_failed", with_usage(data, run.usage))
        end(transaction, row, run.pk, run.run_id, closers, self.terminal)
        if retry:
            again = Run.objects.create(
                owner_id=run.owner_id,
                actor_id=run.actor_id,
                run_id=data["retried_as"],
                thread_id=row.pk,
                agent_type=run.agent_type,
                input=run.input,
                request_id=run.request_id,
                trace=run.trace,
                attempt=run.attempt + 1,
                created_at=transaction.now,
            )
            hand_over(self.executor, again)
        return True


def _lost(attempts: int, *, gave_up: bool) -> str:
    if gave_up:
        return f"The process that ran the agent was lost {attempts} times in a row. The agent was not started again."
    return "The process that ran the agent was lost. The run was not retried automatically."


def request_stop(transaction: Transaction, run_pk: int, reason: str, actor_id: str) -> None:
    """Record the request to stop; the worker sees it. Only the first request counts."""
    Run.objects.filter(pk=run_pk, stop_requested_at=None).update(
        stop_requested_at=transaction.now, stop_reason=reason, stop_actor_id=actor_id
    )


def cancel_queued(transaction: Transaction, row: ThreadRow, run: RunRow, reason: str, actor_id: str) -> None:
    """End a run that has not started: `run_queued agent_cancelled`."""
    if run.first_seq is None:
        seq = append(transaction, row, run.run_id, Event("run_queued", {"position": 1}, actor_id=run.actor_id))
        Run.objects.filter(pk=run.pk).update(first_seq=seq)
    end(transaction, row, run.pk, run.run_id, [], Event("agent_cancelled", {"reason": reason}, actor_id=actor_id))


def end_resting(transaction: Transaction, row: ThreadRow, run: RunRow, reason: str, actor_id: str) -> None:
    """End a resting run. No process holds it, so the caller ends it directly."""
    closers = open_ends(transaction, row, run, "cancelled")
    terminal = Event("agent_cancelled", with_usage({"reason": reason}, run.usage), actor_id=actor_id)
    end(transaction, row, run.pk, run.run_id, closers, terminal)


def open_ends(
    transaction: Transaction, row: ThreadRow, run: RunRow, status: str, error: str = "Stopped."
) -> list[Event]:
    """Closing events for everything that the journal has open of a run whose process can no longer close it."""
    transaction.flush_events()
    grammar = grammar_of(row.pk, run.run_id, run.first_seq or 0)
    return [Event(*closer) for closer in grammar.closers(status, error)]
