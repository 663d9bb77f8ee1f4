"""Who a connection belongs to, and by which credential: the only thing the handshake hands on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Self, cast, get_args

from websocket_core.ids import UserID

Kind = Literal["token", "oidc", "session", "ticket"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Holds:
    """A credential is valid.

    Args:
        until: when it ends by itself, as far as its store can tell now (UTC).
    """

    until: datetime | None


@dataclass(frozen=True, slots=True)
class Identity:
    """A user, and the credential that proved it.

    Args:
        user_id: whose connection it is.
        kind: how the credential came: first-party `token`, `oidc` token, Django `session`, or `ticket`.
        key: names the credential so that it can be looked at again; never the secret itself. A ticket's key is
            `KIND:KEY` of the credential that asked for the ticket.
        expires_at: when the credential ends (UTC); `None` when it has no end of its own.
    """

    user_id: UserID
    kind: Kind
    key: str
    expires_at: datetime | None = None

    @property
    def credential(self) -> tuple[Kind, str]:
        """Kind and key of the credential that decides about validity: for a ticket, the one that asked for it."""
        if self.kind != "ticket":
            return self.kind, self.key
        kind, _, key = self.key.partition(":")
        return cast(Kind, kind), key

    def by_ticket(self) -> Self:
        """The same user and credential, come by a ticket."""
        if self.kind == "ticket":
            return self
        return type(self)(self.user_id, "ticket", f"{self.kind}:{self.key}", self.expires_at)

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON types; `from_json` reads it."""
        return {
            "user_id": str(self.user_id),
            "kind": self.kind,
            "key": self.key,
            "expires_at": self.expires_at and self.expires_at.isoformat(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The identity that `to_json` described.

        Raises:
            ValueError: it does not describe one.
        """
        try:
            kind, key, expires_at = value["kind"], value["key"], value["expires_at"]
            if kind not in KINDS or not isinstance(key, str):
                raise ValueError(f"unknown kind of credential {kind!r:.40}")
            return cls(UserID(value["user_id"]), kind, key, expires_at and datetime.fromisoformat(expires_at))
        except (KeyError, TypeError) as error:
            raise ValueError(f"this is no identity: {error}") from error
