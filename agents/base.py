"""What an agent is: a name, a description, and a body that runs under an `AgentContext`."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Literal, get_args

from netra.agents.authoring.input_schemas import schema_of
from netra.agents.execution import execute_bare, is_async
from websocket_core.protocols import WebSocketManagerProtocol
from websocket_core.protocols.run_service import normal_input

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
    input_schema: ClassVar[dict[str, Any] | None] = None  # JSON Schema of `input`; what does not fit starts no run
    on_loss: ClassVar[OnLoss] = "fail"  # what happens when the worker dies: the run fails, and "retry" starts a new one
    timeout: ClassVar[float | None] = None  # seconds; None: `NETRA_AGENT_TIMEOUT`
    permission: ClassVar[str] = ""  # the Django permission, `app.codename`, that whoever starts it must have

    def __init__(self, manager: WebSocketManagerProtocol | None = None) -> None:
        self.manager = manager

    @classmethod
    def check_input(cls, input: Any) -> None:
        """Refuse an input that the agent does not take, before there is a run: on the socket, over HTTP, in Python.

        Raises:
            InvalidAction: it does not fit `input_schema`; `field` is the path of the first fault, `input.…`.
        """
        schema = schema_of(cls)
        if schema is not None:
            schema.check(input)

    async def run(self, ctx: Any, input: Any) -> Any:
        """The body. Returns the result: anything that JSON can express.

        A plain `def run` blocks: it gets a thread, and a context whose methods block.

        Args:
            ctx: `netra.agents.authoring.context.AgentContext` (`SyncAgentContext` for a sync body).
            input: the `input` of the frame that started the run.
        """
        raise NotImplementedError(f"{type(self).__name__} has no `async def run(self, ctx, input)`")

    async def proceed(self, ctx: Any, memory: bytes, decisions: dict[str, Any]) -> Any:
        """Go on after resting (see `netra.agents.Rest`).

        Args:
            memory: what `Rest` carried.
            decisions: `netra.agents.Decision` by `tool_call_id`.
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
            InvalidAction: the agent does not take this input; nothing was emitted.
            Exception: what the agent raised; `agent_failed` was emitted before.
        """
        if self.manager is None:
            raise RuntimeError(
                "this agent has no manager: call AgentRegistry.set_websocket_manager(manager) before create_agent"
            )
        return await execute_bare(self, self.manager, normal_input(input))


_YIELDS = "agent {} yields; an agent says things with ctx (ctx.say, ctx.message) and returns its result"

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
    permission: str = "",
) -> type[BaseAgent]:
    """An agent class whose body is `function(ctx, input)`, async or sync.

    Raises:
        TypeError: the function cannot be called so, or yields instead of returning.
        ValueError: `on_loss`, `timeout` or `permission` is not one that can be.
    """
    _check_body(name, function)

    async def run(self: BaseAgent, ctx: Any, input: Any) -> Any:
        return await function(ctx, input)

    def run_blocking(self: BaseAgent, ctx: Any, input: Any) -> Any:
        result = function(ctx, input)
        if inspect.iscoroutine(result):
            result.close()
            raise TypeError(f"agent {name} returned a coroutine: write it as `async def`")
        return result

    members = {
        "__doc__": function.__doc__,
        "__module__": function.__module__,
        "name": name,
        "description": description or inspect.cleandoc(function.__doc__ or "").split("\n")[0],
        "aliases": aliases,
        "input_schema": input_schema,
        "on_loss": on_loss,
        "timeout": timeout,
        "permission": permission,
        "run": run if is_async(function) else run_blocking,
    }
    made = type(f"{name}_agent", (BaseAgent,), members)
    check_class(made)
    return made


def check_class(agent_class: type[BaseAgent]) -> None:
    """Refuse an agent that could be registered, but not run, or not as its author means it.

    Raises:
        TypeError: its body yields; or `aliases` is no tuple of names.
        ValueError: `on_loss`, `timeout` or `permission` is not one that can be.
    """
    kind: Any = agent_class  # its author may have written anything
    name, on_loss, timeout = kind.name, kind.on_loss, kind.timeout
    if inspect.isasyncgenfunction(kind.run) or inspect.isgeneratorfunction(kind.run):
        raise TypeError(_YIELDS.format(name))
    if isinstance(kind.aliases, str):
        raise TypeError(f"aliases of agent {name} are a tuple: aliases=({kind.aliases!r},)")
    if on_loss not in get_args(OnLoss):
        raise ValueError(f"on_loss of agent {name} is 'fail' or 'retry', not {on_loss!r}")
    if timeout is not None and not (isinstance(timeout, int | float) and timeout > 0):
        raise ValueError(f"timeout of agent {name} is a number of seconds above 0, or None; not {timeout!r}")
    if not isinstance(kind.permission, str) or (kind.permission and not all(kind.permission.partition("."))):
        # One that no backend grants would leave the agent to superusers; a None would leave it to everybody.
        raise ValueError(
            f"permission of agent {name} is a Django permission like 'shop.refund', not {kind.permission!r}"
        )


def _check_body(name: str, function: Any) -> None:
    if isinstance(function, type):
        raise TypeError(f"@agent is for functions; a class names itself (`name = {name!r}`) and is given to `register`")
    if not callable(function):
        raise TypeError(f"agent {name} is no function: {type(function).__name__}")
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        raise TypeError(_YIELDS.format(name))
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # written in C: it says nothing about itself
    try:
        signature.bind(None, None)
    except TypeError:
        raise TypeError(f"agent {name} is called with (ctx, input), but takes {signature}") from None
