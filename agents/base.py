"""What an agent is: a name, a description, and a body that runs under an `AgentContext`."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Literal, cast

from websocket_core.protocols import WebSocketManagerProtocol

OnLoss = Literal["fail", "retry"]


class BaseAgent:
    """One agent, made for one execution. Functions become agents by `@agent`; a class of your own overrides `run`.

    Args:
        manager: where the events of `execute_with_websocket_events` go; agents started by clients are given theirs by
            the runtime.
    """

    name: ClassVar[str] = ""
    aliases: ClassVar[tuple[str, ...]] = ()
    description: ClassVar[str] = ""
    input_schema: ClassVar[dict[str, Any] | None] = None  # JSON Schema of `input`, for forms and API documents
    on_loss: ClassVar[OnLoss] = "fail"  # what happens when the worker dies: the run fails, and "retry" starts a new one
    timeout: ClassVar[float | None] = None  # seconds; None: `NETRA_AGENT_TIMEOUT`
    is_sync: ClassVar[bool] = False  # the body blocks: it gets a thread, and a context whose methods block

    def __init__(self, manager: WebSocketManagerProtocol | None = None) -> None:
        self.manager = manager

    async def run(self, ctx: Any, input: Any) -> Any:
        """The body. Returns the result: anything that JSON can express.

        Args:
            ctx: `agents.context.AgentContext` (`SyncAgentContext` for a sync body).
            input: the `input` of the frame that started the run.
        """
        raise NotImplementedError(f"{type(self).__name__} has no `async def run(self, ctx, input)`")

    async def proceed(self, ctx: Any, memory: bytes, decisions: dict[str, Any]) -> Any:
        """Go on after resting (see `agents.context.Rest`).

        Args:
            memory: what `Rest` carried.
            decisions: `agents.context.Decision` by `tool_call_id`.
        """
        raise NotImplementedError(
            f"{type(self).__name__} rests, but has no `async def proceed(self, ctx, memory, decisions)`"
        )

    async def execute_with_websocket_events(self, input: Any = None) -> Any:
        """Run the agent outside the runtime and emit the whole golden path through the manager.

        Args:
            input: absent or null is `{}`, a string is `{"message": string}`, as on the wire.

        Returns:
            The agent's result.

        Raises:
            RuntimeError: there is no manager (`AgentRegistry.set_websocket_manager`).
            Exception: what the agent raised; `agent_failed` was emitted before.
        """
        from agents.execution import execute_bare  # it runs agents, and so knows this class

        if self.manager is None:
            raise RuntimeError(
                "this agent has no manager: call AgentRegistry.set_websocket_manager(manager) before create_agent"
            )
        return await execute_bare(self, self.manager, normalise_input(input))


def normalise_input(input: Any) -> Any:
    """The wire's shorthands: absent or null is `{}`, a string is `{"message": string}`."""
    return {} if input is None else {"message": input} if isinstance(input, str) else input


Body = Callable[..., Awaitable[Any]] | Callable[..., Any]


def make_agent(
    function: Body,
    *,
    name: str,
    description: str = "",
    aliases: tuple[str, ...] = (),
    input_schema: dict[str, Any] | None = None,
    on_loss: OnLoss = "fail",
    timeout: float | None = None,
) -> type[BaseAgent]:
    """An agent class whose body is `function(ctx, input)`, async or sync."""
    is_sync = not inspect.iscoroutinefunction(function)

    async def run(self: BaseAgent, ctx: Any, input: Any) -> Any:
        result = function(ctx, input)
        return result if is_sync else await cast(Awaitable[Any], result)

    members = {
        "__doc__": function.__doc__,
        "__module__": function.__module__,
        "name": name,
        "description": description or inspect.cleandoc(function.__doc__ or "").split("\n")[0],
        "aliases": aliases,
        "input_schema": input_schema,
        "on_loss": on_loss,
        "timeout": timeout,
        "is_sync": is_sync,
        "function": staticmethod(function),
        "run": run,
    }
    return type(f"{name}_agent", (BaseAgent,), members)
