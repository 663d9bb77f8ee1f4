"""One table of what ends a connection and of what refuses an action: with which code, in which words, and whether the
client may come back.

Whoever closes a socket names a `Closing`; an error's code, status and advice are looked up in `ERRORS`. The clients
(`netra/static/netra/client`, `netra.loadtest`), the admin's labels and the reference page are tested against it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, NamedTuple

from websocket_core.errors import Unauthenticated
from websocket_core.wire import frames


class Retry(StrEnum):
    """Whether the same client may do the same again."""

    AT_ONCE = "at once"  # a closed connection: come back, and resume
    LATER = "later"  # when `retry_after_ms` is over, or some seconds
    NEW_CREDENTIALS = "with new credentials"
    MENDED = "after mending the client"  # the same again has the same end


class CloseCode(NamedTuple):
    """What the code of a WebSocket's close frame means."""

    reason: str  # a few words, for lists
    retry: Retry = Retry.AT_ONCE
    is_own: bool = False  # chosen by this application, not by the client, the transport or a proxy


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
    """One way in which the application ends a connection: the last `error` frame, and the close frame after it."""

    close_code: int
    error_code: str
    text: str  # for people; may have {places} that `saying` fills
    retry_after_ms: int | None = None

    def saying(self, **places: Any) -> Closing:
        """The same, with the places of its text filled."""
        return self._replace(text=self.text.format(**places))

    def frame(self, **fields: Any) -> str:
        """The last `error` frame, with these other fields."""
        return frames.error(self.error_code, self.text, retry_after_ms=self.retry_after_ms, **fields)

    def after(self, retry_after_ms: int) -> Closing:
        """The same, for a client that had better wait so long."""
        return self._replace(retry_after_ms=retry_after_ms)


SHUTTING_DOWN: Final = Closing(1012, "draining", "This server is shutting down. Connect again, and resume.", 500)
DATABASE_AWAY: Final = Closing(1012, "draining", "The database cannot be reached right now. Try again.", 2000)
OPERATOR: Final = Closing(1012, "draining", "An operator closed this connection.", 1000)
BACKUP_RESTORED: Final = Closing(1012, "draining", "A backup was restored. Connect again, and resume.", 500)
TOO_MANY_THREADS: Final = Closing(
    1012, "draining", "This connection is active in more threads than one may be. Connect again, and resume.", 1000
)
BINARY_FRAME: Final = Closing(4400, "binary_frame", "Send text frames, not binary ones.")
FOREIGN_TOKEN: Final = Closing(4401, "unauthenticated", "This token is another user's.")
TOKEN_EXPIRED: Final = Closing(4401, "token_expired", "Your credentials have expired. Connect with new ones.")
SESSION_REVOKED: Final = Closing(4401, "session_revoked", "Your session or token is no longer valid. Log in again.")
TOO_SLOW: Final = Closing(4408, "too_slow", "This client took nothing for too long. Connect again, and resume.")
TOO_MANY_CONNECTIONS: Final = Closing(
    4409, "too_many_connections", "You have {limit} connections open. Close one, then connect again.", 5000
)
FRAME_TOO_LARGE: Final = Closing(4413, "frame_too_large", "A frame may have {limit:,} bytes.")
FLOODING: Final = Closing(4429, "flooding", "Too many actions, in spite of rate_limited. Come back later.", 5000)
FLOODING_PINGS: Final = Closing(
    4429, "flooding", "Too many pings, pongs or fragments of messages. Come back later.", 5000
)


def refused_credentials(error: Unauthenticated) -> Closing:
    """How a handshake with these credentials ends. Where nobody could judge them, 4401 would end a good client."""
    if error.undecided:
        return Closing(1012, "draining", str(error), error.fields["retry_after_ms"])
    return Closing(4401, error.code, str(error))


class ErrorCode(NamedTuple):
    """What an error's code means for its client. The words are those of the error."""

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
    """The label under which an end is counted. What clients close with is up to them: not every number has its own.

    Args:
        code: of the close frame; `None`: there was none, the connection just ended.
    """
    known = 1006 if code is None else code
    return str(known) if known in CLOSE_CODES else "other"


def close_codes(*retries: Retry) -> frozenset[int]:
    """The close codes after which a client may do one of these."""
    return frozenset(code for code, row in CLOSE_CODES.items() if row.retry in retries)
