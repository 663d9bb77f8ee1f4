"""Identity: who opens a connection, and whether the credential is still valid.

    identity = await identify(scope)                 # at the handshake
    identity = await identify_token(text)            # for the `authenticate` action
    found = await db.read(review, identities)        # found.invalid: {identity: code}, to be closed with 4401
    text, seconds = await issue_ticket(identity)     # for one more handshake

User ids are opaque and never come from a frame (wire-protocol.md, "Identity").

This room has the credentials (sessions, tokens, tickets and OpenID Connect in `oidc`), the check of a handshake's
origin,
and the end of credentials. Every room above may import the names below, and `tokens`, `tickets` and `origin`.
Reading order: `handshake`, then the credential in question. `revocation` is about what ends a connection.
"""

from websocket_core.auth.handshake import chosen_subprotocol, identify, identify_token
from websocket_core.auth.identity import Identity
from websocket_core.auth.revocation import Review, check, review
from websocket_core.auth.tickets import issue_ticket
from websocket_core.errors import OriginRefused, Unauthenticated

__all__ = [
    "Identity",
    "OriginRefused",
    "Review",
    "Unauthenticated",
    "check",
    "chosen_subprotocol",
    "identify",
    "identify_token",
    "issue_ticket",
    "review",
]
