"""The journal's queue and its group commit.

Group commit needs no timer. While one transaction commits, new operations collect into the next batch. An idle journal
commits an event at once; under load, batches grow by themselves.

Each event loop has one journal. The transactions of all journals of a process run in one thread (`db.writer`).
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections import deque
from collections.abc import Hashable, Sequence
from itertools import chain
from typing import TypeVar

from django.db import IntegrityError

from websocket_core.bell import Bell, events_news
from websocket_core.conf import conf
from websocket_core.database import db
from websocket_core.database.own_transaction import OwnTransaction
from websocket_core.errors import OutcomeUnknown
from websocket_core.journal.batch import Batch, Entry, settle, sift, transact, without_culprit
from websocket_core.journal.commits import CommitMark
from websocket_core.journal.sqlite_checkpoints import Checkpoints
from websocket_core.journal.transaction import Operation
from websocket_core.process import metrics
from websocket_core.process.tasks import process_task

log = logging.getLogger(__name__)

Result = TypeVar("Result")

OUTAGE = db.OUTAGE
GATHER_TURNS = 4  # the most iterations of the loop for which a batch collects operations


class Journal:
    """Accepts operations, commits them in batches and rings the bell.

    Args:
        bell: rung after every commit.
    """

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self.own_transaction = OwnTransaction()
        self._checkpoints = Checkpoints()
        self._numbers, self._mark = itertools.count(1), CommitMark()  # of batches, and the row with the latest
        self.given_up = 0  # operations that failed because the database was unavailable for too long
        self._loop = asyncio.get_running_loop()
        self._queue: deque[Entry] = deque()
        self._chars = 0
        self._task: asyncio.Task[None] | None = None
        self._parts: deque[Sequence[Entry]] = deque()  # of the current batch; more than one after an operation broke it
        self._room: deque[asyncio.Future[None]] = deque()  # submitters that wait for a place in the queue, in order

    async def submit(self, operation: Operation[Result]) -> Result:
        """Commit an operation and return its result.

        Raises:
            JournalUnavailable: the database was unavailable for `JOURNAL_TIMEOUT` seconds. Nothing was written.
            RuntimeError: the caller has an open transaction (`websocket_core.database.own_transaction`).
            Exception: whatever the operation raised. In that case it has written nothing.
        """
        await self.ready()
        return await self.post(operation)

    async def ready(self) -> None:
        """Wait until an operation may be posted.

        Raises:
            RuntimeError: the caller has an open transaction, as for `submit`.
        """
        await self.own_transaction.refuse()
        if self.full:
            await self.room()

    def post(self, operation: Operation[Result]) -> asyncio.Future[Result]:
        """Queue an operation without waiting, even if the queue is full.

        For callers that cannot wait and that limit their operations in another way. The future has the operation's
        result.
        """
        future: asyncio.Future[Result] = self._loop.create_future()
        self._queue.append(Entry(operation, future, time.monotonic()))
        self._chars += operation.size
        if self._task is None:
            self._task = process_task(self._work(), "netra-journal")
        return future

    async def flush(self) -> None:
        """Wait until everything queued so far is committed (or has failed) and the bell has rung for it."""
        while self._task is not None:
            await asyncio.wait([self._task])
        await self._bell.flush()
        await self._checkpoints.flush()

    @property
    def backlog(self) -> int:
        """The number of operations that wait to be committed."""
        return len(self._queue)

    @property
    def full(self) -> bool:
        """Whether a submitter has to wait for a place in the queue."""
        return len(self._queue) >= conf.JOURNAL_QUEUE or self._chars >= conf.JOURNAL_QUEUE_CHARS or bool(self._room)

    async def room(self) -> None:
        """Wait for a place in the queue, in order."""
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._room.append(waiter)
        if not self._queue:
            self._admit_waiters()
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._admit_waiters()  # pass this place on to the next waiter
            raise

    def _admit_waiters(self) -> None:
        places = conf.JOURNAL_QUEUE - len(self._queue)
        while self._room and places > 0 and self._chars < conf.JOURNAL_QUEUE_CHARS:
            waiter = self._room.popleft()
            if not waiter.done():
                waiter.set_result(None)
                places -= 1

    async def _gather(self) -> None:
        """Let operations that are about to arrive join the batch: wait as long as each turn of the loop brings more.

        A burst, such as fifty agents that produce tokens together, then becomes one transaction instead of three. A
        single event waits for one turn of an idle loop, which takes some microseconds.
        """
        for _ in range(GATHER_TURNS):
            before = len(self._queue)
            await asyncio.sleep(0)
            if len(self._queue) == before or before >= conf.JOURNAL_BATCH:
                return

    def _take_batch(self) -> list[Entry]:
        batch: list[Entry] = []
        chars, most, limit = 0, conf.JOURNAL_BATCH, conf.JOURNAL_BATCH_CHARS
        queue = self._queue
        while queue and len(batch) < most and chars < limit:
            entry = queue.popleft()
            chars += entry.operation.size
            batch.append(entry)
        self._chars -= chars
        return batch

    async def _work(self) -> None:
        try:
            while self._queue:
                await self._gather()
                batch = self._take_batch()
                try:
                    await self._commit(batch)
                except asyncio.CancelledError:
                    for entry in batch:
                        entry.future.cancel()
                    raise
                except Exception as error:  # a bug in the journal must not leave a submitter waiting for ever
                    log.exception("the journal could not commit %d operations", len(batch))
                    settle(batch, [error] * len(batch))
                self._admit_waiters()
        finally:
            self._task = None
            if self._queue and not self._loop.is_closed():  # cancelled: nothing will commit the rest
                for entry in self._queue:
                    entry.future.cancel()
                self._queue.clear()
                self._chars = 0

    async def _commit(self, batch: Sequence[Entry]) -> None:
        """Commit a batch. If one operation breaks it, commit the others without that one."""
        self._parts.append(batch)
        try:
            while self._parts:
                part, work = self._parts.popleft(), Batch(next(self._numbers), self._mark)
                try:
                    await self._commit_part(part, work)
                except Exception as error:
                    pieces = without_culprit(part, work, error)
                    if len(pieces) < 2:
                        log.exception("the journal could not commit %d operations", len(part))
                        settle(part, [error] * len(part))
                        continue
                    sizes = ", ".join(str(len(piece)) for piece in pieces)
                    log.warning("a batch of %d operations failed (%s); committing %s", len(part), error, sizes)
                    self._parts.extendleft(reversed(pieces))
        except BaseException:
            for entry in chain.from_iterable(self._parts):
                entry.future.cancel()
            self._parts.clear()
            raise

    async def _commit_part(self, batch: Sequence[Entry], work: Batch) -> None:
        operations = [entry.operation for entry in batch]
        attempt, pause, again = 0, 0.05, False
        while True:
            attempt += 1
            began = time.perf_counter()
            try:
                committed = await db.writer.call(transact, operations, work)
            except OUTAGE as error:
                metrics.journal_retries.inc()
                if attempt in (1, 5) or attempt % 30 == 0:
                    log.warning(
                        "database unavailable, %d operations wait (%s: %s)",
                        len(batch),
                        type(error).__name__,
                        str(error).strip(),
                    )
                batch = self._give_up(batch, unclear=work.unclear is not None)
                if not batch:
                    return
                operations = [entry.operation for entry in batch]
                await asyncio.sleep(pause)
                pause = min(pause * 2, 1.0)
            except OutcomeUnknown:
                raise
            except Exception as error:
                # Either another process wrote the same thing first (a run with the same name, in another thread). A
                # second attempt finds it and answers as if it had been there before. Or something broke around the
                # commit. A second attempt finds out whether the commit happened.
                alone = isinstance(error, IntegrityError) and (len(batch) == 1 or work.culprit is None)
                if again or not (alone or work.unclear is not None):
                    raise
                again = True
            else:
                metrics.commit_seconds.observe(time.perf_counter() - began)
                metrics.batches.inc()
                metrics.batch_events.observe(len(committed.transaction.written))
                metrics.events_appended.inc(len(committed.transaction.written))
                for news in events_news(committed.transaction.written):
                    self._bell.ring(news)
                for call in committed.transaction.after_commit:
                    call()
                settle(batch, committed.results)
                self._checkpoints.committed()
                return

    def _give_up(self, batch: Sequence[Entry], *, unclear: bool) -> Sequence[Entry]:
        """Fail entries that have waited for too long, in the current batch and in the queue. Return what is left.

        A batch whose commit is unclear is kept whole, because the commit may have happened.
        """
        broken: set[Hashable] = set()
        left = batch if unclear else sift(batch, broken)
        self._parts = deque(part for part in (sift(part, broken) for part in self._parts) if part)
        queued = sift(self._queue, broken)
        gone = len(batch) - len(left) + len(self._queue) - len(queued)
        if gone:
            self.given_up += gone
            self._queue = deque(queued)
            self._chars = sum(entry.operation.size for entry in queued)
            self._admit_waiters()
        return left
