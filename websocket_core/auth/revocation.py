"""Finds credentials that are no longer valid, for all sockets of a process at once and in a few queries."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from websocket_core.auth import sessions, tokens
from websocket_core.auth.identity import Holds, Identity
from websocket_core.auth.oidc import access as oidc
from websocket_core.errors import Unauthenticated


class Review(NamedTuple):
    """The result of checking credentials again.

    Args:
        invalid: credentials that are no longer valid, each with the `code` of its last frame: `token_expired`,
            `session_revoked` or `unauthenticated`.
        ends: valid credentials that expire at another time than their identity says, because requests of its pages
            renew a session.
    """

    invalid: dict[Identity, str]
    ends: dict[Identity, datetime | None]


def review(identities: Collection[Identity]) -> Review:
    """Check credentials again.

    Takes a few database queries for thousands of credentials. An error of the database is raised and does not make a
    credential invalid.
    """
    found = Review({}, {})
    for identity, verdict in _verdicts(identities).items():
        if not isinstance(verdict, Holds):
            found.invalid[identity] = verdict.code
        elif verdict.until != identity.expires_at:
            found.ends[identity] = verdict.until
    return found


def check(identities: Collection[Identity]) -> dict[Identity, str]:
    """The invalid credentials among `identities`; see `review`."""
    return review(identities).invalid


def require_valid(identity: Identity) -> None:
    """Check one identity. Reads the database.

    Raises:
        Unauthenticated: the identity is no longer valid. The subclass and its `code` give the reason.
    """
    for verdict in _verdicts([identity]).values():
        if not isinstance(verdict, Holds):
            raise verdict


def _verdicts(identities: Collection[Identity]) -> dict[Identity, type[Unauthenticated] | Holds]:
    kinds: dict[str, list[Identity]] = {}
    for identity in identities:
        kinds.setdefault(identity.credential[0], []).append(identity)
    found: dict[Identity, type[Unauthenticated] | Holds] = {}
    for kind, of_kind in kinds.items():
        verdicts = _of_kind(kind, of_kind)
        for identity in of_kind:
            found[identity] = verdicts.get(identity.credential[1], Unauthenticated)
    return found


def _of_kind(kind: str, identities: Collection[Identity]) -> dict[str, type[Unauthenticated] | Holds]:
    match kind:
        case "session":
            return sessions.recheck({identity.credential[1] for identity in identities})
        case "token":
            return tokens.recheck(identities)
        case "oidc":
            return oidc.recheck(identities)
        case _:
            return {}
