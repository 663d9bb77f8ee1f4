"""Which credentials are no longer valid? One question for all the sockets of a process, in a few queries."""

from __future__ import annotations

from collections.abc import Collection

from websocket_core.auth import oidc, sessions, tokens
from websocket_core.auth.identity import Identity
from websocket_core.errors import Unauthenticated


def check(identities: Collection[Identity]) -> dict[Identity, str]:
    """Those of `identities` that are no longer valid, each with the `code` of its last frame.

    The codes are `token_expired`, `session_revoked` and `unauthenticated`. Reads the database, in a few queries for
    thousands; its errors are raised and say nothing about the credentials.
    """
    return {identity: error.code for identity, error in _errors(identities).items()}


def require_valid(identity: Identity) -> None:
    """Check one identity. Reads the database.

    Raises:
        Unauthenticated: it is no longer valid; the subclass and its code tell why.
    """
    for error in _errors([identity]).values():
        raise error


def _errors(identities: Collection[Identity]) -> dict[Identity, type[Unauthenticated]]:
    kinds: dict[str, list[Identity]] = {}
    for identity in identities:
        kinds.setdefault(identity.credential[0], []).append(identity)
    found: dict[Identity, type[Unauthenticated]] = {}
    for kind, of_kind in kinds.items():
        verdicts = _verdicts(kind, of_kind)
        for identity in of_kind:
            error = verdicts.get(identity.credential[1], Unauthenticated)
            if error is not None:
                found[identity] = error
    return found


def _verdicts(kind: str, identities: Collection[Identity]) -> dict[str, type[Unauthenticated] | None]:
    match kind:
        case "session":
            return sessions.recheck({identity.credential[1] for identity in identities})
        case "token":
            return tokens.recheck(identities)
        case "oidc":
            return oidc.recheck(identities)
        case _:
            return {}
