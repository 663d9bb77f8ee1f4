"""A database that fails on request: away altogether, or gone in the moment of a commit.

Only for what Netra itself reads and writes, in its own threads; the queries of the test and of agents go through.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import pytest
from django.db import OperationalError, connection

from websocket_core.database import db
from websocket_core.journal import batch as journal_batch

Commit = Literal["works", "lost", "unclear"]


class DatabaseFaults:
    """Stands between the database threads and the database.

    Attributes:
        away: every call fails, before it has done anything.
        commits: what becomes of the journal's next commits. "lost": the connection breaks before it; "unclear": it
            breaks on the way back, the commit has happened.
        transactions: transactions the journal has tried.
        refused: calls that failed because it was away.
    """

    def __init__(self) -> None:
        self.away = False
        self.refused = 0
        self.commits: deque[Commit] = deque()
        self.transactions = 0
        self._real = db._guarded

    def guarded(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """What the database threads call."""
        is_journal = function is journal_batch.transact
        self.transactions += is_journal
        if self.away:
            self.refused += 1
            return self._real(_refuse, ())
        fault = self.commits.popleft() if is_journal and self.commits else "works"
        if fault == "works":
            return self._real(function, args)
        return self._real(_with_broken_commit, (function, args, fault))


def _refuse() -> None:
    raise OperationalError("connection refused (this is a test)")


def _with_broken_commit(function: Callable[..., Any], args: tuple[Any, ...], fault: Commit) -> Any:
    _, batch = args
    batch.mark.make()  # a commit of its own, before the one that is meant
    here: Any = connection
    real = here._commit

    def commit() -> None:
        here._commit = real
        if fault == "unclear":
            real()
        raise OperationalError("server closed the connection unexpectedly (this is a test)")

    here._commit = commit
    try:
        return function(*args)
    finally:
        here._commit = real


@contextmanager
def failing_database() -> Iterator[DatabaseFaults]:
    """Let a `DatabaseFaults` stand in front of Netra's database; it does nothing at first."""
    found = DatabaseFaults()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(db, "_guarded", found.guarded)
        try:
            yield found
        finally:
            found.away = False
            found.commits.clear()
