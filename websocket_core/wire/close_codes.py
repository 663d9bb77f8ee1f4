"""The table of what ends a connection or refuses an action: its code, its text, and whether the client may retry.

Code that closes a socket names a `Closing`. An error's code, HTTP status and advice are looked up in `ERRORS`. Tests
check the clients (`netra/static/netra/client`, `netra.loadtest`), the admin's labels and the reference page against
this table.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, NamedTuple

from websocket_core.errors import Unauthenticated
from websocket_core.wire import frames


class Retry(StrEnum):
    """Whether the same client may try the same again."""

    AT_ONCE = "at once"  # after a closed connection: reconnect and resume
    LATER = "later"  # after `retry_after_ms`, or after some seconds
    NEW_CREDENTIALS = "with new credentials"
    MENDED = "after mending the client"  # trying the same again fails the same way


class CloseCode(NamedTuple):
    """The meaning of the code of a WebSocket's close frame."""

    reason: str  # a few words, for lists
    retry: Retry = Retry.AT_ONCE
    is_own: bool = False  # sent by this application, not by the client, the transport or a proxy


CLOSE_CODES: Final[dict[int, CloseCode]] = {
    1000: CloseCode("closed by the client"),
    1001: CloseCode("page left"),
    1002: CloseCode("protocol error"),
    1005: CloseCode("closed by the client, no code"),
    1006: CloseCode("connection lost"),
    1007: CloseCode("invalid text"),
    1009: CloseCode("message too big", Retry.MENDED),
    1011: CloseCode("server error"),
    1012: CloseCode("server restart", is_own=True),
    4400: CloseCode("binary frame", Retry.MENDED, is_own=True),
    4401: CloseCode("credentials ended", Retry.NEW_CREDENTIALS, is_own=True),
    4408: CloseCode("too slow", is_own=True),
    4409: CloseCode("too many connections", Retry.LATER, is_own=True),
    4413: CloseCode("frame too large", Retry.MENDED, is_own=True),
    4429: CloseCode("flooding", Retry.LATER, is_own=True),
}


class Closing(NamedTuple):
    """One way in which the application ends a connection: the last `error` frame and the close frame after it."""

    close_code: int
    error_code: str
    text: str  # for people; may have {placeholders} for `saying`
    retry_after_ms: int | None = None

    def saying(self, **places: Any) -> Closing:
        """The same, with the placeholders of its text filled."""
        return self._replace(text=self.text.format(**places))

    def frame(self, **fields: Any) -> str:
        """The last `error` frame, with additional fields."""
        return frames.error(self.error_code, self.text, retry_after_ms=self.retry_after_ms, **fields)

    def after(self, retry_after_ms: int) -> Closing:
        """The same, with the time after which the client should come back."""
        return self._replace(retry_after_ms=retry_after_ms)


SHUTTING_DOWN: Final = Closing(1012, "draining", "This server is shutting down. Connect again, and resume.", 500)
DATABASE_AWAY: Final = Closing(1012, "draining", "The database is unavailable at present. Connect again.", 2000)
OPERATOR: Final = Closing(1012, "draining", "An operator closed this connection.", 1000)
BACKUP_RESTORED: Final = Closing(1012, "draining", "A backup was restored. Connect again, and resume.", 500)
TOO_MANY_THREADS: Final = Closing(
    1012, "draining", "This connection is active in too many threads. Connect again, and resume.", 1000
)
BINARY_FRAME: Final = Closing(4400, "binary_frame", "Send text frames, not binary ones.")
FOREIGN_TOKEN: Final = Closing(4401, "unauthenticated", "This token belongs to another user.")
TOKEN_EXPIRED: Final = Closing(4401, "token_expired", "Your credentials have expired. Connect with new ones.")
SESSION_REVOKED: Final = Closing(4401, "session_revoked", "Your session or token is no longer valid. Log in again.")
TOO_SLOW: Final = Closing(4408, "too_slow", "This client read nothing for too long. Connect again, and resume.")
TOO_MANY_CONNECTIONS: Final = Closing(
    4409, "too_many_connections", "You have {limit} connections open. Close one, then connect again.", 5000
)
FRAME_TOO_LARGE: Final = Closing(4413, "frame_too_large", "A frame may have at most {limit:,} bytes.")
FLOODING: Final = Closing(4429, "flooding", "Too many actions after rate_limited. Connect again later.", 5000)
FLOODING_PINGS: Final = Closing(
    4429, "flooding", "Too many pings, pongs or message fragments. Connect again later.", 5000
)


def refused_credentials(error: Unauthenticated) -> Closing:
    """How a handshake with these credentials ends. If they could not be checked, 4401 would reject a good client."""
    if error.undecided:
        return Closing(1012, "draining", str(error), error.fields["retry_after_ms"])
    return Closing(4401, error.code, str(error))


class ErrorCode(NamedTuple):
    """What an error's code means for the client. The text comes from the error itself."""

    status: int  # of an HTTP answer
    retry: Retry


ERRORS: Final[dict[str, ErrorCode]] = {
    "invalid_json": ErrorCode(400, Retry.MENDED),
    "unknown_action": ErrorCode(400, Retry.MENDED),
    "invalid_action": ErrorCode(422, Retry.MENDED),
    "invalid_cursor": ErrorCode(422, Retry.MENDED),
    "unknown_agent": ErrorCode(422, Retry.MENDED),
    "unauthenticated": ErrorCode(401, Retry.NEW_CREDENTIALS),
    "token_expired": ErrorCode(401, Retry.NEW_CREDENTIALS),
    "session_revoked": ErrorCode(401, Retry.NEW_CREDENTIALS),
    "not_found": ErrorCode(404, Retry.MENDED),
    "run_finished": ErrorCode(409, Retry.MENDED),
    "already_decided": ErrorCode(409, Retry.MENDED),
    "thread_busy": ErrorCode(409, Retry.LATER),
    "cursor_expired": ErrorCode(410, Retry.MENDED),
    "too_large": ErrorCode(413, Retry.MENDED),
    "run_limit": ErrorCode(429, Retry.LATER),
    "quota_exceeded": ErrorCode(429, Retry.LATER),
    "rate_limited": ErrorCode(429, Retry.LATER),
    "internal": ErrorCode(500, Retry.LATER),
    "journal_unavailable": ErrorCode(503, Retry.LATER),
    "draining": ErrorCode(503, Retry.AT_ONCE),
}


def counted_as(code: int | None) -> str:
    """The label under which a close is counted. Clients choose their own codes, so unknown ones share a label.

    Args:
        code: of the close frame; `None` if the connection ended without one.
    """
    known = 1006 if code is None else code
    return str(known) if known in CLOSE_CODES else "other"


def close_codes(*retries: Retry) -> frozenset[int]:
    """The close codes after which a client may retry in one of these ways."""
    return frozenset(code for code, row in CLOSE_CODES.items() if row.retry in retries)
