"""A caller's own database transaction, which the journal's thread can neither see nor wait for.

On SQLite it holds the one lock there is, so that the journal would wait for the caller, who waits for the journal. In a
test that is rolled back in the end (`TestCase`, a plain `django_db`), what other threads have written would stay, on
every database. Both are refused at once.
"""

from __future__ import annotations

import asyncio

from asgiref.sync import AsyncToSync, sync_to_async
from django.core import mail
from django.db import connection

WAITS = (
    "This code is within a database transaction, and Netra writes in a thread of its own, which would wait for it for "
    "ever. In tests use TransactionTestCase or @pytest.mark.django_db(transaction=True); elsewhere wait for the commit "
    "(django.db.transaction.on_commit)."
)


class OwnTransaction:
    """Looks for one, on behalf of one event loop."""

    def __init__(self) -> None:
        self._caller_asked = False

    async def refuse(self) -> None:
        """Refuse to go on within one.

        Raises:
            RuntimeError: the message says what to do.
        """
        in_test = hasattr(mail, "outbox")
        if connection.vendor != "sqlite" and not in_test:
            return
        if in_test and _in_transaction_of_thread():  # an async test: its loop runs in the thread that began it
            raise RuntimeError(WAITS)
        # The caller's thread can only be asked through the context that came with the call. A task in a context of its
        # own would ask the thread that began the loop, which may itself be waiting for this very task.
        has_caller = hasattr(AsyncToSync.executors, "current")
        if has_caller and not self._caller_asked:
            self._caller_asked = True
            loop = asyncio.get_running_loop()
            if loop in AsyncToSync.loop_thread_executors and await sync_to_async(_in_transaction)():
                raise RuntimeError(WAITS)  # the thread that waits in `async_to_sync`


def _in_transaction_of_thread() -> bool:
    # Where a loop runs, Django shows each task connections of its own; the thread's are seen as if there were none.
    loop = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    try:
        return _in_transaction()
    finally:
        asyncio._set_running_loop(loop)


def _in_transaction() -> bool:
    return bool(connection.in_atomic_block)
