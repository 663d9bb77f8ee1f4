"""Every error of the core, with one common base class.

An error that a client can cause has the `code` of the wire protocol (wire-protocol.md, "Error codes") and, as
attributes, the fields that belong to it. `wire_fields` are those that the `error` frame shows. The message is the first
line of the class's docstring by default. It is written for people and contains nothing that the client did not already
know.
"""

from __future__ import annotations

from typing import Any, ClassVar


class WebSocketCoreError(Exception):
    """Something went wrong in the delivery core."""

    code: ClassVar[str] = "internal"

    def __init__(self, message: str = "", **fields: Any) -> None:
        super().__init__(message or (self.__doc__ or "").split("\n")[0])
        self.fields = fields

    @property
    def wire_fields(self) -> dict[str, Any]:
        """The fields of the `error` frame in addition to `code` and `message`. Fields that are `None` are left out."""
        return {name: value for name, value in self.fields.items() if value is not None}


class UserIsolationError(WebSocketCoreError, PermissionError):
    """This belongs to another user; a manager serves only the user of its own context."""


class ProtocolComplianceError(WebSocketCoreError, TypeError):
    """The object does not follow WebSocketManagerProtocol."""


class LeaseLostError(WebSocketCoreError):
    """Another lease has taken the run over; under the old one, nothing can be written."""


class RunOverError(WebSocketCoreError):
    """The run has its terminal event; nothing can follow it."""


class GrammarError(WebSocketCoreError, ValueError):
    """The event is not allowed at this point of a run."""


class ConnectionClosedError(WebSocketCoreError, ConnectionError):
    """The connection is closed."""


class Internal(WebSocketCoreError):
    """Something went wrong on our side. Try again; if it persists, report the incident id."""

    code = "internal"


class ClientError(WebSocketCoreError):
    """The client requested something that cannot be done."""

    code = "invalid_action"


class InvalidJSON(ClientError):
    """The frame is not JSON. Send one JSON object per text frame."""

    code = "invalid_json"


class InvalidAction(ClientError):
    """A field of the action is missing or wrong."""

    code = "invalid_action"


class UnknownAction(ClientError):
    """There is no such action."""

    code = "unknown_action"


class UnknownAgent(ClientError):
    """No agent with this name is registered."""

    code = "unknown_agent"


class NotFound(ClientError):
    """There is nothing with this name."""

    code = "not_found"


class RunFinished(ClientError):
    """The run is over."""

    code = "run_finished"


class ThreadBusy(ClientError):
    """Another run is active in this thread. Wait for it, stop it, or start with if_busy 'enqueue' or 'cancel'."""

    code = "thread_busy"


class RunLimit(ClientError):
    """You have reached the limit of queued and running runs. Wait for one to end, or stop one."""

    code = "run_limit"


class QuotaExceeded(ClientError):
    """There is no room for this: the limit of stored bytes is reached."""

    code = "quota_exceeded"


class AlreadyDecided(ClientError):
    """The approval has already been decided."""

    code = "already_decided"


class RateLimited(ClientError):
    """Too many actions in a short time. Wait for retry_after_ms."""

    code = "rate_limited"


class TooLarge(ClientError):
    """This is larger than an event may be."""

    code = "too_large"


class Unauthenticated(ClientError):
    """The credentials are missing, wrong or no longer valid. Log in again, or send a fresh token."""

    code = "unauthenticated"

    @property
    def undecided(self) -> bool:
        """Whether the credentials could not be checked: the same ones may be accepted after `retry_after_ms`."""
        return "retry_after_ms" in self.fields


class TokenExpired(Unauthenticated):
    """The credentials have expired. Connect again with a fresh token, or log in again."""

    code = "token_expired"


class SessionRevoked(Unauthenticated):
    """The credentials were withdrawn: logged out, password changed, token revoked or user deactivated. Log in again."""

    code = "session_revoked"


class OriginRefused(WebSocketCoreError, PermissionError):
    """The handshake comes from a page or names a host that is not allowed; it is answered with HTTP 403."""


class CursorExpired(ClientError):
    """The events after this cursor are older than the retention period. Resume from first_seq - 1."""

    code = "cursor_expired"


class InvalidCursor(ClientError):
    """The cursor is ahead of the thread. last_seq is the newest event."""

    code = "invalid_cursor"


class JournalUnavailable(ClientError):
    """The database is unavailable at present. Nothing was changed; try again in a moment."""

    code = "journal_unavailable"


class OutcomeUnknown(JournalUnavailable):
    """The database lost its connection and its record of the last write: check the result before you try again."""


class Draining(ClientError):
    """This server is shutting down. Connect again, and resume."""

    code = "draining"
