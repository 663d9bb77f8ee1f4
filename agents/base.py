"""The base class of agents: a name, a description, and a body that runs with an `AgentContext`."""

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
    """One agent, created for one execution. `@agent` turns functions into agents; a subclass overrides `run`.

    Args:
        manager: emits the events of `execute_with_websocket_events`. The runtime sets it for agents that clients start.
    """

    name: ClassVar[str] = ""
    aliases: ClassVar[tuple[str, ...]] = ()
    description: ClassVar[str] = ""
    input_schema: ClassVar[dict[str, Any] | None] = None  # JSON Schema of `input`; an invalid input starts no run
    on_loss: ClassVar[OnLoss] = "fail"  # if the worker dies, the run fails; "retry" then starts a new one
    timeout: ClassVar[float | None] = None  # seconds; None: `NETRA_AGENT_TIMEOUT`
    permission: ClassVar[str] = ""  # the Django permission, `app.codename`, that is needed to start it

    def __init__(self, manager: WebSocketManagerProtocol | None = None) -> None:
        self.manager = manager

    @classmethod
    def check_input(cls, input: Any) -> None:
        """Refuse an invalid input before a run is created, for starts from a socket, over HTTP and in Python.

        Raises:
            InvalidAction: it does not match `input_schema`; `field` is the path of the first error, `input.…`.
        """
        schema = schema_of(cls)
        if schema is not None:
            schema.check(input)

    async def run(self, ctx: Any, input: Any) -> Any:
        """The body. Returns the result: anything that JSON can express.

        A plain `def run` blocks: it runs in a thread, with a context whose methods block.

        Args:
            ctx: `netra.agents.authoring.context.AgentContext` (`SyncAgentContext` for a sync body).
            input: the `input` of the frame that started the run.
        """
        raise NotImplementedError(f"{type(self).__name__} has no `async def run(self, ctx, input)`")

    async def proceed(self, ctx: Any, memory: bytes, decisions: dict[str, Any]) -> Any:
        """Continue after resting (see `netra.agents.Rest`).

        Args:
            memory: the bytes of `Rest`.
            decisions: `netra.agents.Decision` by `tool_call_id`.
        """
        raise NotImplementedError(
            f"{type(self).__name__} rests, but has no `async def proceed(self, ctx, memory, decisions)`"
        )

    async def execute_with_websocket_events(self, input: Any = None) -> Any:
        """Run the agent outside the runtime, and emit all events of the run through the manager.

        Args:
            input: as in the wire protocol, absent or null is `{}`, and a string is `{"message": string}`.

        Returns:
            The agent's result.

        Raises:
            RuntimeError: there is no manager (`AgentRegistry.set_websocket_manager`).
            InvalidAction: the agent does not accept this input. Nothing was emitted.
            Exception: whatever the agent raised, after `agent_failed` was emitted.
        """
        if self.manager is None:
            raise RuntimeError(
                "this agent has no manager: call AgentRegistry.set_websocket_manager(manager) before create_agent"
            )
        return await execute_bare(self, self.manager, normal_input(input))


_YIELDS = "agent {} yields; an agent sends text with ctx (ctx.say, ctx.message) and returns its result"

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
    """Create an agent class with the body `function(ctx, input)`, async or sync.

    Raises:
        TypeError: the function does not have these parameters, or yields instead of returning.
        ValueError: `on_loss`, `timeout` or `permission` is invalid.
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
    """Refuse an agent class that could not run, or not as its author means it.

    Raises:
        TypeError: its body yields, or `aliases` is not a tuple of names.
        ValueError: `on_loss`, `timeout` or `permission` is invalid.
    """
    kind: Any = agent_class  # the author may have written anything
    name, on_loss, timeout = kind.name, kind.on_loss, kind.timeout
    if inspect.isasyncgenfunction(kind.run) or inspect.isgeneratorfunction(kind.run):
        raise TypeError(_YIELDS.format(name))
    if isinstance(kind.aliases, str):
        raise TypeError(f"aliases of agent {name} must be a tuple: aliases=({kind.aliases!r},)")
    if on_loss not in get_args(OnLoss):
        raise ValueError(f"on_loss of agent {name} must be 'fail' or 'retry', not {on_loss!r}")
    if timeout is not None and not (isinstance(timeout, int | float) and timeout > 0):
        raise ValueError(f"timeout of agent {name} must be a number of seconds above 0, or None; not {timeout!r}")
    if not isinstance(kind.permission, str) or (kind.permission and not all(kind.permission.partition("."))):
        # A permission that no backend grants would leave the agent to superusers, and None would leave it to everybody.
        raise ValueError(
            f"permission of agent {name} must be a Django permission like 'shop.refund', not {kind.permission!r}"
        )


def _check_body(name: str, function: Any) -> None:
    if isinstance(function, type):
        raise TypeError(f"@agent is for functions; give a class a name (`name = {name!r}`) and pass it to `register`")
    if not callable(function):
        raise TypeError(f"agent {name} is not a function: {type(function).__name__}")
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        raise TypeError(_YIELDS.format(name))
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # written in C: it has no signature
    try:
        signature.bind(None, None)
    except TypeError:
        raise TypeError(f"agent {name} is called with (ctx, input), but takes {signature}") from None
