"""What clients may do with runs: the port through which the core calls the agents' room, and what passes through it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRequest:
    """What somebody asks for who wants a run, by whatever way it comes: a socket, HTTP, Python.

    Attributes:
        user_id: whose run it will be.
        agent_type: name or alias of the agent.
        thread_id: where it will be; `None`: in a new thread.
        run_id: what it will be called; `None`: by a new id. A name that was used before starts nothing.
        input: anything that JSON can express, as on the wire: `None` becomes `{}`, a string `{"message": string}`.
        if_busy: what to do when the thread has a run that is not over: `enqueue`, `reject` or `cancel` that run.
        request_id: the client's own, echoed in the run's first event.
        connection_id: the socket it came by, for the log and the traces.
    """

    user_id: str
    agent_type: str
    thread_id: str | None = None
    run_id: str | None = None
    input: Any = None
    if_busy: str = "enqueue"
    request_id: str | None = None
    connection_id: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "input", normal_input(self.input))


def normal_input(input: Any) -> Any:
    """An agent's input with the wire's shorthands written out: `None` is `{}`, a string is `{"message": string}`."""
    return {} if input is None else {"message": input} if isinstance(input, str) else input


class StartOutcome(NamedTuple):
    """What became of a `StartRequest`."""

    thread_id: str
    run_id: str
    existing: bool  # the run was there already: answer with a replay from before `first_seq`
    first_seq: int | None  # then: seq of the run's first event or, before there is one, of the thread's next event


class RunState(NamedTuple):
    """The run a `resumed` frame tells about: the active, else the latest of the thread."""

    run_id: str | None = None
    status: str | None = None


class RunService(Protocol):
    """What clients may do with runs. Everything is looked up as `(user_id, name)`.

    Every method raises `websocket_core.errors.ClientError` with the wire's code for what a client can cause.
    """

    async def start(self, request: StartRequest) -> StartOutcome:
        """Create the run, or find the one that has this id. Returns when it is recorded, not when it ends."""

    async def stop(self, *, user_id: str, run_id: str, reason: str | None) -> None:
        """Ask a run to stop; returns when the wish is recorded."""

    async def respond(self, *, user_id: str, run_id: str, approval_id: str, approved: bool, value: Any) -> None:
        """Decide an approval, once."""

    async def thread_states(self, user_id: str, thread_ids: Sequence[str]) -> Mapping[str, RunState]:
        """The run to tell of for each of these threads; threads without runs may be absent."""
