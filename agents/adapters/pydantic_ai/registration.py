"""Registers a Pydantic AI agent."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any

from pydantic_ai.agent import AbstractAgent

from netra.agents.adapters.pydantic_ai.adapted_agent import PydanticAIAgent
from netra.agents.adapters.pydantic_ai.runnable_agents import check_runs
from netra.agents.base import OnLoss
from netra.agents.registry import register

# Options that the adapter itself sets for every run.
_OWN = {"user_prompt", "message_history", "deferred_tool_results", "usage", "deps", "event_stream_handler", "run_id"}
_OWN |= {"conversation", "cancellation_token", "timeout", "infer_name", "self"}


def register_agent(
    name: str,
    agent: AbstractAgent[Any, Any],
    *,
    description: str = "",
    deps: Any = None,
    prompt: Callable[[Any], Any] | None = None,
    input_schema: dict[str, Any] | None = None,
    aliases: tuple[str, ...] = (),
    on_loss: OnLoss = "fail",
    timeout: float | None = None,
    permission: str = "",
    memory_bytes: int | None = None,
    **options: Any,
) -> type[PydanticAIAgent]:
    """Let clients start a Pydantic AI agent.

    Args:
        name: the name that clients use.
        agent: any agent. All runs share it, as Pydantic AI intends.
        description: for people.
        deps: the run's dependencies, or a function (possibly async), class or other callable that creates them from the
            context and the input. An object of the agent's `deps_type` is passed on unchanged.
        prompt: creates the user prompt from the input; may be async. By default, it is the input's `message`, or the
            whole input as JSON.
        input_schema: JSON Schema of `input`.
        aliases: other names of the agent.
        on_loss: "retry" starts a new run if the worker dies during one. Only if every tool may run twice.
        timeout: seconds until a run fails with `timeout`.
        permission: a Django permission, `app.codename`. For users without it, the agent does not exist.
        memory_bytes: the most bytes of a thread's messages to keep for its next question (default:
            `NETRA_MEMORY_BYTES`); 0 for none.
        options: further keyword arguments of `Agent.run`: `model`, `model_settings`, `usage_limits`, `toolsets`, …

    Returns:
        The registered class.

    Raises:
        TypeError: `agent` is not an agent, `Agent.run` has no such option, or `deps` or `prompt` cannot be called as
            described.
        ValueError: the name is invalid or taken, or every run of this agent would fail; the message gives the reason.
    """
    if not isinstance(agent, AbstractAgent):
        raise TypeError(f"register_agent needs a pydantic_ai.Agent, not {type(agent).__name__}")
    unknown = options.keys() - (inspect.signature(type(agent).run).parameters.keys() - _OWN)
    if unknown:
        raise TypeError(f"Agent.run has no such option, or the adapter sets it itself: {', '.join(sorted(unknown))}")
    check_runs(name, agent, options)
    if memory_bytes is not None and memory_bytes < 0:
        raise ValueError(f"memory_bytes of agent {name} must be a number of bytes, 0 for none; not {memory_bytes!r}")
    makes_deps = _is_factory(deps, agent.deps_type)
    if makes_deps:
        _check_callable(name, "deps", deps, "the context and the input", 2)
    if prompt is not None:
        _check_callable(name, "prompt", prompt, "the input", 1)
    members = {
        "__module__": sys._getframe(1).f_globals.get("__name__", __name__),  # the author's module, for errors and logs
        "__doc__": description,
        "name": name,
        "description": description,
        "input_schema": input_schema,
        "aliases": aliases,
        "on_loss": on_loss,
        "timeout": timeout,
        "permission": permission,
        "wrapped": agent,
        "deps": None if makes_deps else deps,
        "make_deps": staticmethod(deps) if makes_deps else None,
        "make_prompt": staticmethod(prompt) if prompt is not None else None,
        "memory_bytes": memory_bytes,
        "options": options,
    }
    adapted = type(f"{name}_agent", (PydanticAIAgent,), members)
    register(adapted)
    return adapted


def _is_factory(deps: Any, deps_type: Any) -> bool:
    """Whether `deps` is called for every run. A callable object may be the dependencies themselves."""
    if inspect.isroutine(deps) or isinstance(deps, functools.partial):
        return True
    try:
        return callable(deps) and (deps_type is object or not isinstance(deps, deps_type))
    except TypeError:  # a generic alias or a protocol: `isinstance` is impossible
        return True


def _check_callable(name: str, option: str, made: Any, given: str, count: int) -> None:
    remedy = f"to pass on a value unchanged, write {option}=lambda {'ctx, input' if count == 2 else 'input'}: value"
    if not callable(made):
        raise TypeError(f"{option} of agent {name} is called with {given}, but {made!r:.80} cannot be called; {remedy}")
    try:
        signature = inspect.signature(made)
    except (TypeError, ValueError):
        return  # written in C: it has no signature
    try:
        signature.bind(*([None] * count))
    except TypeError:
        raise TypeError(f"{option} of agent {name} is called with {given}, but takes {signature}; {remedy}") from None
