"""Defers work until the caller's database transaction is committed, and drops it after a rollback.

The journal uses its own connections. Without this, it would not see what the transaction has written, would not undo
its own writes after a rollback, and on SQLite would wait for the transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db import DEFAULT_DB_ALIAS, connections, transaction

from websocket_core.errors import WebSocketCoreError

log = logging.getLogger(__name__)


def within_transaction() -> bool:
    """Whether the calling thread is within `atomic()` of any database."""
    return _alias() is not None


def after_commit(what: str, step: Callable[[], object]) -> None:
    """Call `step` when the caller's transaction is committed.

    Errors are then only logged, because the caller can no longer receive them.

    Args:
        what: a description for the log.
        step: the function to call, in the same thread.
    """

    def take() -> None:
        if within_transaction():  # `captureOnCommitCallbacks` in a test whose transaction is rolled back at its end
            log.error(
                "%s: not done, because this test's transaction is never committed; "
                "use TransactionTestCase or @pytest.mark.django_db(transaction=True)",
                what,
            )
            return
        try:
            step()
        except WebSocketCoreError as error:
            log.error("%s: refused after the commit (%s): %s", what, error.code, error)

    transaction.on_commit(take, using=_alias(), robust=True)


def _alias() -> str | None:
    """The alias of a database with an open transaction, preferably the default one, or `None`.

    It may differ from Netra's own database (`NETRA_DATABASE`).
    """
    found = [one.alias for one in connections.all(initialized_only=True) if one.in_atomic_block]
    return DEFAULT_DB_ALIAS if DEFAULT_DB_ALIAS in found else next(iter(found), None)
