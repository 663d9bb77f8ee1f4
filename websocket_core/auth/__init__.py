"""Identity: who opens a connection, and whether that still holds.

    identity = await identify(scope)                 # at the handshake
    identity = await identify_token(text)            # the `authenticate` action
    found = await db.read(review, identities)        # found.invalid: {identity: code} of those to be closed with 4401
    text, seconds = await issue_ticket(identity)     # for one more handshake

User ids are opaque and never come from a frame.

Lives here: sessions, tokens, tickets and OpenID Connect (`oidc`) as credentials, where a handshake comes from, and when
a credential has ended.
May come in: every room above; take the names below, and `tokens`, `tickets`, `origin` for making and judging them.
Read: `handshake`, then the credential in question; `revocation` for what ends a connection.
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
