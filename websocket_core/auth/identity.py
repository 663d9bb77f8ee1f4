"""The user of a connection and the credential that proved it. The handshake passes on nothing else."""

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
    """The credential is valid.

    Args:
        until: when it expires (UTC), as far as its store can tell at present.
    """

    until: datetime | None


@dataclass(frozen=True, slots=True)
class Identity:
    """A user, and the credential that proved it.

    Args:
        user_id: the user of the connection.
        kind: the kind of credential: first-party `token`, `oidc` token, Django `session`, or `ticket`.
        key: identifies the credential for later checks. It is never the secret itself. A ticket's key is `KIND:KEY` of
            the credential that requested the ticket.
        expires_at: when the credential expires (UTC); `None` if it does not expire.
    """

    user_id: UserID
    kind: Kind
    key: str
    expires_at: datetime | None = None

    @property
    def credential(self) -> tuple[Kind, str]:
        """Kind and key of the credential that is checked for validity. For a ticket, the one that requested it."""
        if self.kind != "ticket":
            return self.kind, self.key
        kind, _, key = self.key.partition(":")
        return cast(Kind, kind), key

    def by_ticket(self) -> Self:
        """The same user and credential, for use in a ticket."""
        if self.kind == "ticket":
            return self
        return type(self)(self.user_id, "ticket", f"{self.kind}:{self.key}", self.expires_at)

    def to_json(self) -> dict[str, Any]:
        """The identity as JSON types, for `from_json`."""
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
            ValueError: the value does not describe an identity.
        """
        try:
            kind, key, expires_at = value["kind"], value["key"], value["expires_at"]
            if kind not in KINDS or not isinstance(key, str):
                raise ValueError(f"unknown kind of credential {kind!r:.40}")
            return cls(UserID(value["user_id"]), kind, key, expires_at and datetime.fromisoformat(expires_at))
        except (KeyError, TypeError) as error:
            raise ValueError(f"this is not an identity: {error}") from error
