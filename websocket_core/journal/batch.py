"""A batch of operations, committed in one transaction and exactly once, even if that takes several attempts."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar, cast

from django.db import IntegrityError

from websocket_core.bell import events_news, ring_after_commit
from websocket_core.conf import conf
from websocket_core.database.home import atomic, on_commit
from websocket_core.errors import JournalUnavailable, OutcomeUnknown, WebSocketCoreError
from websocket_core.journal.commits import CommitMark
from websocket_core.journal.statements import statements
from websocket_core.journal.transaction import Operation, Transaction
from websocket_core.process.heartbeat import this_process

log = logging.getLogger(__name__)

Result = TypeVar("Result")


class Entry(NamedTuple):
    """An operation that waits for its commit."""

    operation: Operation[Any]
    future: asyncio.Future[Any]
    since: float  # time.monotonic()

    @property
    def late(self) -> bool:
        """Whether the operation has waited for the database for `JOURNAL_TIMEOUT` seconds."""
        return not self.operation.patient and time.monotonic() - self.since > conf.JOURNAL_TIMEOUT


class Committed(NamedTuple):
    """The outcome of a transaction: one result or error per operation, and the events to ring the bell for."""

    results: list[object]
    transaction: Transaction


class Batch:
    """The state of one batch across its attempts to commit.

    Attributes:
        number: the batch's number within its journal.
        unclear: the outcome of a transaction whose commit got no answer. The journal may or may not contain it.
        culprit: index of the operation that broke the last attempt, or `None` if it is not known.
    """

    def __init__(self, number: int, mark: CommitMark) -> None:
        self.number, self.mark = number, mark
        self.unclear: Committed | None = None
        self.culprit: int | None = None


def transact(operations: Sequence[Operation[object]], batch: Batch) -> Committed:
    """Apply and commit a batch exactly once, even after an earlier unclear attempt. Runs in the writer's thread."""
    marked = not statements().commits_clearly
    if marked:
        batch.mark.make()
    results: list[object] = []
    with atomic():
        if marked and not batch.mark.take(batch.number, unclear=batch.unclear is not None):
            assert batch.unclear is not None
            return batch.unclear
        batch.culprit = None
        batch.unclear = None  # the earlier transaction was rolled back: the row lacks its number
        work = Transaction()
        work.lock(operations)
        try:
            for operation in operations:
                results.append(work.apply(operation))  # noqa: PERF401 - the length tells which operation broke
        except Exception:
            batch.culprit = len(results)
            raise
        work.flush()
        if this_process.is_silent():
            this_process.beat(work.now)
        committed = Committed(results, work)
        if marked:
            batch.unclear = committed
    return committed


def commit_now(operation: Operation[Result]) -> Result:
    """Commit one operation from synchronous code, such as the admin or a command, and ring the bell.

    Uses the calling thread's own connection. Inside a transaction of the caller, the operation becomes part of that
    transaction, and the bell rings when it commits.

    Raises:
        WebSocketCoreError: whatever the operation raised. In that case nothing was written.
    """
    with atomic():
        work = Transaction()
        work.lock([operation])
        result = operation.apply(work)
        work.flush()
    for news in events_news(work.written):
        ring_after_commit(news)
    for call in work.after_commit:
        on_commit(call)
    if isinstance(result, Exception):
        raise result
    return result


class _TakenBack(Exception):
    pass


def judge_now(operation: Operation[Result]) -> Result:
    """What an operation would give now, on the calling thread's own connection; nothing of it stays, no lock either.

    For callers within a transaction of their own, after whose commit the operation is submitted.

    Raises:
        WebSocketCoreError: what the operation raises.
    """
    result: Result | WebSocketCoreError | None = None
    try:
        with atomic():
            work = Transaction()
            work.lock([operation])
            result = operation.apply(work)
            raise _TakenBack
    except _TakenBack:
        pass
    if isinstance(result, Exception):
        raise result
    return cast("Result", result)


def without_culprit(batch: Sequence[Entry], work: Batch, error: Exception) -> list[Sequence[Entry]]:
    """Split a batch that failed into pieces, which are then committed one after the other.

    The pieces are the operations before the one that broke the batch, that operation, and those after it. If it is not
    known which operation broke the batch, the pieces are its two halves. The order is kept, because the events of a run
    depend on it. A single piece means that the batch cannot be split: it has one operation, or its outcome is unclear.
    """
    if work.unclear is not None and not isinstance(error, IntegrityError):
        return [batch]  # it may be in the journal
    if isinstance(error, OutcomeUnknown):
        return [batch]
    place = work.culprit
    if place is None:
        middle = len(batch) // 2
        pieces = [batch[:middle], batch[middle:]]
    else:
        pieces = [batch[:place], batch[place : place + 1], batch[place + 1 :]]
    return [piece for piece in pieces if piece]


def sift(entries: Iterable[Entry], broken: set[Hashable]) -> list[Entry]:
    """Fail the entries that have waited for too long, and later entries of their chains. Return the others."""
    remaining = []
    for entry in entries:
        operation = entry.operation
        if entry.late or (operation.chain in broken and not operation.patient):
            if operation.chain is not None:
                broken.add(operation.chain)
            settle([entry], [JournalUnavailable()])
        else:
            remaining.append(entry)
    return remaining


def settle(batch: Sequence[Entry], results: Sequence[object]) -> None:
    """Give each submitter its result. An error is raised in the submitter."""
    for entry, result in zip(batch, results, strict=True):
        if entry.future.done():
            continue
        if isinstance(result, BaseException):
            entry.future.set_exception(result)
        else:
            entry.future.set_result(result)
