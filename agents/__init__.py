"""Agents: what an author writes, and how a run lives.

from netra.agents import AgentContext, agent

@agent("weather", description="Looks the weather up")
async def weather(ctx: AgentContext, input: dict) -> dict: ...
"""

from __future__ import annotations

if __name__ == "agents":
    raise ImportError("The folder agents/ of Netra is imported as netra.agents: write `from netra.agents import …`.")

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netra.agents.authoring.context import AgentContext
    from netra.agents.authoring.facts import Decision, Rest
    from netra.agents.authoring.sync_context import SyncAgentContext
    from netra.agents.base import BaseAgent
    from netra.agents.errors import (
        AgentError,
        ModelRefused,
        ModelUnavailable,
        ToolDenied,
        ToolError,
        UnknownAgentError,
        UsageLimitReached,
    )
    from netra.agents.registry.registered import AgentRegistry, agent, register

__all__ = [
    "AgentContext",
    "AgentError",
    "AgentRegistry",
    "BaseAgent",
    "Decision",
    "ModelRefused",
    "ModelUnavailable",
    "Rest",
    "SyncAgentContext",
    "ToolDenied",
    "ToolError",
    "UnknownAgentError",
    "UsageLimitReached",
    "agent",
    "register",
]

_HOMES = {
    "AgentContext": "authoring.context",
    "AgentError": "errors",
    "AgentRegistry": "registry.registered",
    "BaseAgent": "base",
    "Decision": "authoring.facts",
    "ModelRefused": "errors",
    "ModelUnavailable": "errors",
    "Rest": "authoring.facts",
    "SyncAgentContext": "authoring.sync_context",
    "ToolDenied": "errors",
    "ToolError": "errors",
    "UnknownAgentError": "errors",
    "UsageLimitReached": "errors",
    "agent": "registry.registered",
    "register": "registry.registered",
}


def __getattr__(name: str) -> Any:
    # Lazy: Django imports this package before the models that these modules need are loaded.
    if name in _HOMES:
        return getattr(import_module(f"netra.agents.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
