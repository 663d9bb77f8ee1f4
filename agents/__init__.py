"""Agents: what an author writes, and how a run lives.

from agents import AgentContext, agent

@agent("weather", description="Looks the weather up")
async def weather(ctx: AgentContext, input: dict) -> dict: ...
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agents.authoring.context import AgentContext
    from agents.authoring.facts import Decision, Rest
    from agents.authoring.sync_context import SyncAgentContext
    from agents.base import BaseAgent
    from agents.errors import (
        AgentError,
        ModelRefused,
        ModelUnavailable,
        ToolDenied,
        ToolError,
        UnknownAgentError,
        UsageLimitReached,
    )
    from agents.registry.registered import AgentRegistry, agent, register

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
        return getattr(import_module(f"agents.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
