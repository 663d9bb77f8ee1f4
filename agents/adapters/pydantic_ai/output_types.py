"""The output types of registered agents."""

from __future__ import annotations

from typing import Any

from pydantic_ai import DeferredToolRequests
from pydantic_ai.agent import AbstractAgent, WrapperAgent
from pydantic_ai.toolsets import FunctionToolset


def with_deferred_calls(agent: AbstractAgent[Any, Any]) -> Any:
    """The agent's output types, extended by calls that wait for a person; `None` to keep its own unchanged."""
    outputs = _types_of(agent.output_type)
    # An agent with output validators accepts no output type other than its own.
    return None if DeferredToolRequests in outputs or has_validators(agent) else [*outputs, DeferredToolRequests]


def has_validators(agent: AbstractAgent[Any, Any]) -> bool:
    """Whether the agent, or one that it wraps, has output validators."""
    return any(getattr(one, "_output_validators", None) for one in wrapped_agents(agent))


def can_defer(agent: AbstractAgent[Any, Any]) -> bool:
    """Whether its own output type allows calls that wait for a person."""
    return DeferredToolRequests in _types_of(agent.output_type)


def asks(agent: AbstractAgent[Any, Any]) -> list[str]:
    """The names of its tools that always need a person's approval."""
    toolsets = [toolset for toolset in agent.toolsets if isinstance(toolset, FunctionToolset)]
    return sorted(tool.name for toolset in toolsets for tool in toolset.tools.values() if tool.requires_approval)


def wrapped_agents(agent: AbstractAgent[Any, Any]) -> list[AbstractAgent[Any, Any]]:
    """The agent, and every agent that it wraps."""
    found = [agent]
    while isinstance(found[-1], WrapperAgent):
        found.append(found[-1].wrapped)
    return found


def _types_of(output_type: Any) -> list[Any]:
    return list(output_type) if isinstance(output_type, list | tuple) else [output_type]
