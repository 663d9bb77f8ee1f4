"""A batch of operations: committed in one transaction, once, however many attempts that takes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

from django.db import IntegrityError, transaction

from websocket_core.bell import events_news, ring_after_commit
from websocket_core.conf import conf
from websocket_core.errors import JournalUnavailable, OutcomeUnknown
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
        """Whether it has waited for the database as long as an operation may."""
        return not self.operation.patient and time.monotonic() - self.since > conf.JOURNAL_TIMEOUT


class Committed(NamedTuple):
    """What a transaction brought: a result or an error per operation, and what the bell rings with."""

    results: list[object]
    transaction: Transaction


class Batch:
    """The attempts to commit one batch.

    Attributes:
        number: of the batch in its journal.
        unclear: what a transaction has done whose commit was not answered: it may be in the journal.
        culprit: place of the operation that broke the last attempt, where that is known.
    """

    def __init__(self, number: int, mark: CommitMark) -> None:
        self.number, self.mark = number, mark
        self.unclear: Committed | None = None
        self.culprit: int | None = None


def transact(operations: Sequence[Operation[object]], batch: Batch) -> Committed:
    """Apply and commit, once, however many attempts that takes. Runs in the writer's thread."""
    marked = not statements().commits_clearly
    if marked:
        batch.mark.make()
    results: list[object] = []
    with transaction.atomic():
        if marked and not batch.mark.take(batch.number, unclear=batch.unclear is not None):
            assert batch.unclear is not None
            return batch.unclear
        batch.culprit = None
        batch.unclear = None  # the earlier transaction has ended, and its number is not there: it was rolled back
        work = Transaction()
        work.lock(operations)
        try:
            for operation in operations:
                results.append(work.apply(operation))  # noqa: PERF401 - how many there are tells which one broke
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
    """Commit one operation from synchronous code (the admin, commands), on the calling thread's own connection, and
    ring. Within a transaction of the caller's it is part of that, and rings when that is committed.

    Raises:
        WebSocketCoreError: what the operation raised; it has written nothing.
    """
    with transaction.atomic():
        work = Transaction()
        work.lock([operation])
        result = operation.apply(work)
        work.flush()
    for news in events_news(work.written):
        ring_after_commit(news)
    if isinstance(result, Exception):
        raise result
    return result


def without_culprit(batch: Sequence[Entry], work: Batch, error: Exception) -> list[Sequence[Entry]]:
    """What to commit one after the other instead of a batch that broke: what is before the operation that broke it,
    that operation, what is after it. In order, since the events of a run are. Where nobody knows which one it was,
    halves.

    One piece: there is nothing that could be left out.
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
    """Fail the entries whose time is over, and those of chains that are broken by that; the others remain."""
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
    """Give each submitter its result, or raise it there, if it is an error."""
    for entry, result in zip(batch, results, strict=True):
        if entry.future.done():
            continue
        if isinstance(result, BaseException):
            entry.future.set_exception(result)
        else:
            entry.future.set_result(result)
