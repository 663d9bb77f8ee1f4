"""What a database transaction of the caller's changes: nothing is done before its commit, nothing after a rollback.

The journal writes on connections of its own. It would not see what the transaction has written, it would go on when
that is rolled back, and on SQLite it would wait for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db import DEFAULT_DB_ALIAS, connections, transaction

from websocket_core.errors import WebSocketCoreError

log = logging.getLogger(__name__)


def within_transaction() -> bool:
    """Whether the calling thread is within `atomic()`, of whatever database."""
    return _alias() is not None


def after_commit(what: str, step: Callable[[], object]) -> None:
    """Do something when the caller's transaction is committed.

    What fails then is logged: the caller has been told what could be judged, and cannot be told any more.

    Args:
        what: for the log.
        step: does it, in the same thread.
    """

    def take() -> None:
        if within_transaction():  # `captureOnCommitCallbacks` of a test that is rolled back in the end
            log.error(
                "%s: not done, since this test's transaction is never committed; "
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
    """The database with a transaction under way: the site's default one, or else another one; `None`: there is none.

    Netra's own (`NETRA_DATABASE`) may be another one than that of the site's data.
    """
    found = [one.alias for one in connections.all(initialized_only=True) if one.in_atomic_block]
    return DEFAULT_DB_ALIAS if DEFAULT_DB_ALIAS in found else next(iter(found), None)
