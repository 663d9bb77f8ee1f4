"""Which credentials are no longer valid? One question for all the sockets of a process, in a few queries."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from websocket_core.auth import sessions, tokens
from websocket_core.auth.identity import Holds, Identity
from websocket_core.auth.oidc import access as oidc
from websocket_core.errors import Unauthenticated


class Review(NamedTuple):
    """What became of credentials.

    Args:
        invalid: those that are no longer valid, each with the `code` of its last frame: `token_expired`,
            `session_revoked` or `unauthenticated`.
        ends: those that are valid, but end at another time than their identity says: a session is renewed by the
            requests of its pages.
    """

    invalid: dict[Identity, str]
    ends: dict[Identity, datetime | None]


def review(identities: Collection[Identity]) -> Review:
    """Look at credentials again.

    Reads the database, in a few queries for thousands; its errors are raised and say nothing about the credentials.
    """
    found = Review({}, {})
    for identity, verdict in _verdicts(identities).items():
        if not isinstance(verdict, Holds):
            found.invalid[identity] = verdict.code
        elif verdict.until != identity.expires_at:
            found.ends[identity] = verdict.until
    return found


def check(identities: Collection[Identity]) -> dict[Identity, str]:
    """Those of `identities` that are no longer valid; see `review`."""
    return review(identities).invalid


def require_valid(identity: Identity) -> None:
    """Check one identity. Reads the database.

    Raises:
        Unauthenticated: it is no longer valid; the subclass and its code tell why.
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
