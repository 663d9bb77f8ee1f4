"""Registering a Pydantic AI agent."""

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

# What the adapter itself gives to every run.
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
        name: what clients call it.
        agent: any agent. It is shared by all runs, as Pydantic AI means it to be.
        description: for people.
        deps: the run's dependencies, or what makes them: a function (async ones too), class or other callable is
            called with the context and the input. An object of the agent's `deps_type` is handed over as it is.
        prompt: makes the user prompt out of the input (async functions too); by default it is the input's `message`,
            or the whole input as JSON.
        input_schema: JSON Schema of `input`.
        aliases: other names it answers to.
        on_loss: "retry" starts a new run when the worker dies in the middle of one; only when every tool may run twice.
        timeout: seconds until a run fails with `timeout`.
        permission: a Django permission, `app.codename`. For users who do not have it there is no such agent.
        memory_bytes: how much of a thread's messages is kept for its next question (`NETRA_MEMORY_BYTES`); 0 for
            nothing.
        options: further keyword arguments of `Agent.run`: `model`, `model_settings`, `usage_limits`, `toolsets`, …

    Returns:
        The registered class.

    Raises:
        TypeError: it is no agent, `Agent.run` has no such option, or `deps` or `prompt` cannot be called as they are.
        ValueError: the name is not legal, or taken; or every run of this agent would fail, and why.
    """
    if not isinstance(agent, AbstractAgent):
        raise TypeError(f"register_agent takes a pydantic_ai.Agent, not {type(agent).__name__}")
    unknown = options.keys() - (inspect.signature(type(agent).run).parameters.keys() - _OWN)
    if unknown:
        raise TypeError(f"Agent.run has no such option, or the adapter sets it itself: {', '.join(sorted(unknown))}")
    check_runs(name, agent, options)
    if memory_bytes is not None and memory_bytes < 0:
        raise ValueError(f"memory_bytes of agent {name} is a number of bytes, 0 for nothing; not {memory_bytes!r}")
    makes_deps = _is_factory(deps, agent.deps_type)
    if makes_deps:
        _check_callable(name, "deps", deps, "the context and the input", 2)
    if prompt is not None:
        _check_callable(name, "prompt", prompt, "the input", 1)
    members = {
        "__module__": sys._getframe(1).f_globals.get("__name__", __name__),  # whose agent it is, in errors and logs
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
    except TypeError:  # a generic alias or a protocol, which nothing can be asked about
        return True


def _check_callable(name: str, option: str, made: Any, given: str, count: int) -> None:
    remedy = f"to hand a value over as it is, write {option}=lambda {'ctx, input' if count == 2 else 'input'}: value"
    if not callable(made):
        raise TypeError(f"{option} of agent {name} is called with {given}, but {made!r:.80} cannot be called; {remedy}")
    try:
        signature = inspect.signature(made)
    except (TypeError, ValueError):
        return  # written in C: it says nothing about itself
    try:
        signature.bind(*([None] * count))
    except TypeError:
        raise TypeError(f"{option} of agent {name} is called with {given}, but takes {signature}; {remedy}") from None
