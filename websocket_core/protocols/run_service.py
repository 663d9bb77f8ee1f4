"""The interface through which clients reach runs, and its data. The core calls it, and the agents implement it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRequest:
    """A request for a run, from a socket, from HTTP or from Python.

    Attributes:
        user_id: the user of the run.
        agent_type: name or alias of the agent.
        thread_id: the thread of the run; `None` for a new one.
        run_id: the id of the run; `None` for a new one. An id that was used before starts nothing.
        input: any JSON value. As in the wire protocol, `None` becomes `{}`, and a string `{"message": string}`.
        if_busy: what to do if the thread has a run that is not over: `enqueue`, `reject`, or `cancel` that run.
        request_id: the client's own reference, echoed in the run's first event.
        connection_id: the socket of the request, for logs and traces.
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
    """An agent's input with the wire protocol's shorthands expanded: `None` is `{}`, a string `{"message": string}`."""
    return {} if input is None else {"message": input} if isinstance(input, str) else input


class StartOutcome(NamedTuple):
    """The result of a `StartRequest`."""

    thread_id: str
    run_id: str
    existing: bool  # the run already existed: answer with a replay from before `first_seq`
    first_seq: int | None  # then, seq of the run's first event, or of the thread's next event if it has none yet


class RunState(NamedTuple):
    """The run in a `resumed` frame: the thread's active run, otherwise its latest."""

    run_id: str | None = None
    status: str | None = None


class RunService(Protocol):
    """What clients may do with runs. Everything is looked up by `(user_id, name)`.

    Every method raises `websocket_core.errors.ClientError` with the wire protocol's code for errors of the client.
    """

    async def start(self, request: StartRequest) -> StartOutcome:
        """Create the run, or find the one with this id. Returns when it is recorded, not when it ends."""

    async def stop(self, *, user_id: str, run_id: str, reason: str | None) -> None:
        """Ask a run to stop. Returns when the request is recorded."""

    async def respond(
        self,
        *,
        user_id: str,
        run_id: str,
        approval_id: str,
        approved: bool,
        value: Any,
        arguments: dict[str, Any] | list[Any] | None = None,
    ) -> None:
        """Decide an approval, once. `arguments`: the edited ones."""

    async def thread_states(self, user_id: str, thread_ids: Sequence[str]) -> Mapping[str, RunState]:
        """The state of each of these threads. Threads without runs may be missing."""
