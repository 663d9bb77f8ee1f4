"""The frozen context of one user's execution, carried by every manager, emitter and run."""

from __future__ import annotations

from dataclasses import dataclass

from websocket_core.ids import ConnectionID, RunID, ThreadID, UserID


@dataclass(frozen=True, slots=True)
class UserExecutionContext:
    """One user's execution: the user, the thread, the run, and where it came from.

    Args:
        user_id: the user. Opaque, 1 to 255 characters without control characters.
        thread_id: the conversation, scoped to the user.
        run_id: the execution, scoped to the user.
        connection_id: the socket that requested it, if there is one.
        request_id: the client's own reference, echoed in answers, at most 128 characters.
        fence: the fencing token of the lease under which the run executes; `None` outside a leased run. With an
            outdated token, nothing can be written.

    Raises:
        TypeError: an id is not a string.
        ValueError: an id is invalid (see `websocket_core.ids`).
    """

    user_id: UserID
    thread_id: ThreadID
    run_id: RunID
    connection_id: ConnectionID | None = None
    request_id: str | None = None
    fence: int | None = None

    def __init__(
        self,
        user_id: str,
        thread_id: str,
        run_id: str,
        connection_id: str | None = None,
        request_id: str | None = None,
        fence: int | None = None,
    ) -> None:
        put = object.__setattr__  # how frozen dataclasses set their own fields
        put(self, "user_id", UserID(user_id))
        put(self, "thread_id", ThreadID(thread_id))
        put(self, "run_id", RunID(run_id))
        put(self, "connection_id", None if connection_id is None else ConnectionID(connection_id))
        if request_id is not None and not isinstance(request_id, str):
            raise TypeError(f"request_id takes a string, not {type(request_id).__name__}")
        if request_id is not None and len(request_id) > 128:
            raise ValueError("request_id has at most 128 characters")
        put(self, "request_id", request_id)
        if fence is not None and (isinstance(fence, bool) or not isinstance(fence, int)):
            raise TypeError(f"fence takes an integer, not {type(fence).__name__}")
        put(self, "fence", fence)
