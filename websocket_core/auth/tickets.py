"""Tickets: short-lived, single-use credentials for clients that can set neither a header nor a subprotocol.

A ticket is the only secret allowed in a URL. It contains the identity of the credential that requested it, and the
socket that it opens is closed when that credential ends.
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

PREFIX = "netra_once_"  # makes a ticket recognisable wherever it appears
PURGE = 100  # expired tickets that are deleted with each new one


async def issue_ticket(identity: Identity) -> tuple[str, int]:
    """Create a ticket for the holder of `identity`. Returns its text, and for how many seconds it is valid."""
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
    Ticket.objects.bulk_create([ticket], ignore_conflicts=True)  # it may already exist, see _write


async def redeem(text: str) -> Identity:
    """Use a ticket up and return its identity.

    Raises:
        Unauthenticated: the ticket is unknown, used or expired, or the credential behind it is no longer valid.
    """
    ticket = await db.read(_find, text)
    # Two handshakes with the same ticket may both find it, but only one of them deletes the row. That one wins.
    if ticket is None or not await _write(_take, ticket.pk):
        raise Unauthenticated
    if ticket.expires_at <= timezone.now():
        raise TokenExpired
    identity = Identity.from_json(ticket.credential)
    await db.read(require_valid, identity)
    return identity


async def _write(function: Callable[..., T], *args: Any) -> T:
    """Run `function` as `db.write` does. If the connection broke, run it again, even if the first call may have worked.

    A reading thread would wait for SQLite's only lock, and so would every other reader.
    """
    try:
        return await db.write(function, *args)
    except (OperationalError, InterfaceError):
        return await db.write(function, *args)


def _find(text: str) -> Ticket | None:
    return Ticket.objects.filter(digest=digest(text)).first()


def _take(key: int) -> bool:
    return bool(Ticket.objects.filter(pk=key).delete()[0])
