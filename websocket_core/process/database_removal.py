"""Lets a test runner remove its test database, which PostgreSQL refuses while any connection to it is open.

Django closes the connections of the test's own thread. Netra's threads keep theirs for as long as the process lives.
"""

from __future__ import annotations

from typing import Any

from django.core import mail
from django.db.backends.base.base import NO_DB_ALIAS

from websocket_core.process.lifecycle import lifecycle


def release(connection: Any, **_: Any) -> None:
    """Receiver of Django's `connection_created`: close Netra's connections before a test database is removed.

    Django creates, copies and removes test databases over a connection to no database of its own.
    """
    if connection.alias == NO_DB_ALIAS and hasattr(mail, "outbox"):
        lifecycle.end()
