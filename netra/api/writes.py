"""The API's changes. Synchronous functions for `db.write`; threads and runs are looked up by owner,
tokens by user.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from netra.agents.ledger.open_runs import is_open
from netra.agents.models import Run
from netra.api.problems import Problem
from netra.api.reads import token_fields
from websocket_core.auth import tokens
from websocket_core.conf import conf
from websocket_core.database.home import atomic
from websocket_core.errors import NotFound, ThreadBusy
from websocket_core.models import AccessToken, Thread
from websocket_core.retention.removal import take_away


def rename_thread(owner_id: str, thread_id: str, title: str) -> None:
    """Give a thread a title.

    Raises:
        NotFound: the user has none of this name.
    """
    if not Thread.objects.filter(owner_id=owner_id, thread_id=thread_id, deleted_at=None).update(title=title):
        raise NotFound("There is no such thread.", thread_id=thread_id)


def delete_thread(owner_id: str, thread_id: str) -> None:
    """Delete a thread: from now on the user has none of this name. `removal` removes its rows, however many there
    are. A later run in a thread of this name continues the numbers, because `(thread_id, seq)` identifies an event.

    Raises:
        NotFound: the user has none of this name.
        ThreadBusy: one of its runs is queued or active.
    """
    with atomic():
        row = Thread.objects.select_for_update().filter(owner_id=owner_id, thread_id=thread_id, deleted_at=None).first()
        if row is None:
            raise NotFound("There is no such thread.", thread_id=thread_id)
        # Through the user's open runs, which are few, and not through the thread's runs, which may be many.
        active = Run.objects.filter(is_open(), owner_id=owner_id, thread=row).order_by("pk").first()
        if active is not None:
            raise ThreadBusy("This thread has an open run. Stop it first.", active_run_id=active.run_id)
        take_away(row)


def make_token(user_id: str, ttl: timedelta | None, label: str) -> dict[str, Any]:
    """Create a token; the answer contains its text, this once.

    Raises:
        Problem: the user has as many tokens as allowed.
    """
    if 0 < conf.TOKENS_PER_USER <= tokens.count_valid(user_id):
        message = f"You have {conf.TOKENS_PER_USER} valid tokens. Revoke one that you no longer need."
        raise Problem(429, "token_limit", message)
    tokens.forget_ended(user_id)
    text, token = tokens.issue(user_id, ttl, label)
    return {**token_fields(token), "token": text}


def revoke_token(user_id: str, token_pk: int) -> None:
    """End one of the user's tokens."""
    token = AccessToken.objects.filter(user_id=user_id, pk=token_pk).first()
    if token is None:
        raise NotFound("There is no such token.")
    tokens.revoke(token)
