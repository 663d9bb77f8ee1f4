"""Tickets: single use, short-lived, for clients that can set neither a header nor a subprotocol.

The only secret that may stand in a URL. A ticket carries the identity of the credential that asked for it: the socket
it opens lives no longer than that.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from django.db import InterfaceError, OperationalError
from django.utils import timezone

from websocket_core.auth.identity import Identity
from websocket_core.auth.revocation import require_valid
from websocket_core.auth.tokens import digest
from websocket_core.conf import conf
from websocket_core.database import db
from websocket_core.errors import TokenExpired, Unauthenticated
from websocket_core.models import Ticket

T = TypeVar("T")

PREFIX = "netra_once_"  # so that a ticket is recognised wherever it turns up
PURGE = 100  # dead tickets that each new one takes along


async def issue_ticket(identity: Identity) -> tuple[str, int]:
    """Make a ticket for the holder of `identity`: its text, and for how many seconds it is good."""
    text = PREFIX + secrets.token_urlsafe(32)
    await _write(_store, text, identity.by_ticket())
    return text, conf.TICKET_SECONDS


def _store(text: str, identity: Identity) -> None:
    now = timezone.now()
    dead = Ticket.objects.filter(expires_at__lt=now).order_by("pk").values_list("pk", flat=True)[:PURGE]
    if keys := list(dead):
        Ticket.objects.filter(pk__in=keys).delete()
    ticket = Ticket(
        user_id=identity.user_id,
        digest=digest(text),
        credential=identity.to_json(),
        expires_at=now + timedelta(seconds=conf.TICKET_SECONDS),
    )
    Ticket.objects.bulk_create([ticket], ignore_conflicts=True)  # it may be there already, see _write


async def redeem(text: str) -> Identity:
    """The identity a ticket stands for; the ticket is gone with it.

    Raises:
        Unauthenticated: unknown, used or too old, or the credential behind it is no longer valid.
    """
    ticket = await db.read(_find, text)
    # Two handshakes with one ticket both find it, but a row is deleted once: that one has won.
    if ticket is None or not await _write(_take, ticket.pk):
        raise Unauthenticated
    if ticket.expires_at <= timezone.now():
        raise TokenExpired
    identity = Identity.from_json(ticket.credential)
    await db.read(require_valid, identity)
    return identity


async def _write(function: Callable[..., T], *args: Any) -> T:
    """Run `function` as `db.write` does; once more when the connection broke, whether or not it was done by then.

    A reader would wait for SQLite's one lock, and all who read with it.
    """
    try:
        return await db.write(function, *args)
    except (OperationalError, InterfaceError):
        return await db.write(function, *args)


def _find(text: str) -> Ticket | None:
    return Ticket.objects.filter(digest=digest(text)).first()


def _take(key: int) -> bool:
    return bool(Ticket.objects.filter(pk=key).delete()[0])
