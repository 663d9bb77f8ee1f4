"""Detects a database transaction of the caller, which the journal's thread can neither see nor wait for.

On SQLite such a transaction holds the only lock: the journal would wait for the caller, which waits for the journal. In
a test that is rolled back at its end (`TestCase`, a plain `django_db`), rows written by other threads would remain, on
every database. Both cases are refused at once.
"""

from __future__ import annotations

import asyncio

from asgiref.sync import AsyncToSync, sync_to_async
from django.core import mail
from django.db import connections

from websocket_core.database.home import connection

WAITS = (
    "This code runs inside a database transaction. Netra writes in a separate thread, which would wait for it for "
    "ever. In tests use TransactionTestCase or @pytest.mark.django_db(transaction=True); elsewhere wait for the commit "
    "(django.db.transaction.on_commit)."
)


class InOwnTransaction(RuntimeError):
    """This code runs inside a transaction that Netra's threads can neither see nor wait for."""

    def __init__(self) -> None:
        super().__init__(WAITS)


class OwnTransaction:
    """Checks for such a transaction, for one event loop."""

    def __init__(self) -> None:
        self._caller_asked = False

    async def refuse(self) -> None:
        """Refuse to continue inside a transaction.

        Raises:
            InOwnTransaction: the message says what to do.
        """
        in_test = hasattr(mail, "outbox")
        if connection.vendor != "sqlite" and not in_test:
            return
        if in_test and _in_transaction_of_thread():  # an async test: its loop runs in the thread that started it
            raise InOwnTransaction
        # The caller's thread can only be asked through the context that came with the call. A task with a context of
        # its own would ask the thread that started the loop, which may itself be waiting for this task.
        has_caller = hasattr(AsyncToSync.executors, "current")
        if has_caller and not self._caller_asked:
            self._caller_asked = True
            loop = asyncio.get_running_loop()
            if loop in AsyncToSync.loop_thread_executors and await sync_to_async(_in_transaction)():
                raise InOwnTransaction  # the thread that waits in `async_to_sync`


async def caller_in_transaction() -> bool:
    """Whether the thread that waits in `async_to_sync` for the running coroutine is within a transaction.

    Raises:
        InOwnTransaction: it is in a test that is rolled back at its end, whose transaction no other thread can use.
    """
    if getattr(AsyncToSync.executors, "current", None) is not None:
        return await sync_to_async(_in_transaction)()
    if hasattr(mail, "outbox") and _in_transaction_of_thread():
        raise InOwnTransaction
    return False


async def refuse_in_rolled_back_test() -> None:
    """Refuse to read what only the transaction of a test has written: other threads would not find it.

    Raises:
        InOwnTransaction: this is a test that is rolled back at its end; the message says what to do.
    """
    if hasattr(mail, "outbox") and await caller_in_transaction():
        raise InOwnTransaction


def _in_transaction_of_thread() -> bool:
    # Inside a running loop, Django gives each task its own connections. Hide the loop to see those of the thread.
    loop = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    try:
        return _in_transaction()
    finally:
        asyncio._set_running_loop(loop)


def _in_transaction() -> bool:
    if hasattr(mail, "outbox"):  # a test's transactions are of every database that it may use, and of those alone
        return any(one.in_atomic_block for one in connections.all(initialized_only=True))
    return bool(connection.in_atomic_block)
