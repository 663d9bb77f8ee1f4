"""Shapes of the API's requests and answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from ninja import Field, Schema
from pydantic import Strict, field_validator

from websocket_core.ids import NAME_LENGTH, NAME_PATTERN
from websocket_core.wire import encoding

Name = Annotated[str, Field(pattern=f"^{NAME_PATTERN}$")]
Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]


class Me(Schema):
    """The caller."""

    user_id: str
    credential: str
    expires_at: str | None


class TicketOut(Schema):
    """A ticket for one handshake."""

    ticket: str
    expires_in: int


class TokenIn(Schema):
    """The request for a new token."""

    label: Annotated[Text, Field(max_length=100)] = ""
    ttl: Annotated[int, Strict(), Field(ge=60, le=366 * 86400)] | None = None


class TokenOut(Schema):
    """A token without its text."""

    id: int
    label: str
    created_at: str
    expires_at: str | None
    revoked_at: str | None


class Tokens(Schema):
    """A page of tokens, newest first; `next_before` is the `before` of the next page, null at the end."""

    tokens: list[TokenOut]
    next_before: int | None


class NewToken(TokenOut):
    """A token with its text, which is shown only once."""

    token: str


class Agent(Schema):
    """An agent that can be started."""

    name: str
    aliases: list[str]
    description: str
    input_schema: dict[str, Any] | None


class Thread(Schema):
    """A thread, as in `synced`."""

    thread_id: str
    title: str
    last_seq: int
    first_seq: int
    active_run_id: str | None
    updated_at: str


class Threads(Schema):
    """A page of threads, newest first; `next_before` is the `before` of the next page, null at the end."""

    threads: list[Thread]
    next_before: str | None


class Rename(Schema):
    """A thread's new title."""

    title: Annotated[Text, Field(min_length=1, max_length=200)]


class Events(Schema):
    """Events after a cursor; `next_after` is the cursor of the next page, null at the end."""

    events: list[dict[str, Any]]
    last_seq: int
    next_after: int | None
    epoch: str


class Run(Schema):
    """A run."""

    run_id: str
    thread_id: str
    agent_type: str
    status: str
    input: Any
    result: Any
    code: str | None
    incident: str | None
    created_at: str
    started_at: str | None
    finished_at: str | None


class Runs(Schema):
    """A page of runs, newest first; `next_before` is the `before` of the next page, null at the end."""

    runs: list[Run]
    next_before: str | None


class StartIn(Schema):
    """The fields of `start_agent`."""

    agent_type: Annotated[Text, Field(min_length=1, max_length=NAME_LENGTH)]
    thread_id: Name | None = None
    run_id: Name | None = None
    input: Any = None
    if_busy: Literal["enqueue", "reject", "cancel"] | None = None
    request_id: Annotated[Text, Field(max_length=NAME_LENGTH)] | None = None

    @field_validator("input")
    @classmethod
    def _can_be_kept(cls, value: Any) -> Any:
        """Refuse U+0000, which PostgreSQL cannot store."""
        try:
            found = encoding.has_nul(value)
        except RecursionError:
            raise ValueError("The input is nested too deeply.") from None
        if found:
            raise ValueError("U+0000 cannot be stored; remove it from the text.")
        return value


class StartOut(Schema):
    """The ids of the run; `existing`: the run_id was used before, and nothing was started."""

    run_id: str
    thread_id: str
    existing: bool


class StopIn(Schema):
    """Why a run is stopped."""

    reason: Annotated[Text, Field(max_length=1024)] | None = None


class RespondIn(Schema):
    """A decision."""

    approved: Annotated[bool, Strict()]
    value: Any = None
    arguments: dict[str, Any] | list[Any] | None = None
