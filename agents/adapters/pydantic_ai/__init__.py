"""Pydantic AI agents in Netra, in one line per agent.

from netra.agents.adapters.pydantic_ai import register_agent

register_agent("support", my_agent, description="Answers questions about orders")
"""

from __future__ import annotations

try:
    import pydantic_ai as _  # noqa: F401
except ImportError as error:
    raise ImportError(
        "netra.agents.adapters.pydantic_ai needs Pydantic AI; install it into this environment: "
        "python -m pip install 'pydantic-ai-slim[openai]'"
    ) from error

from netra.agents.adapters.pydantic_ai.adapted_agent import PydanticAIAgent
from netra.agents.adapters.pydantic_ai.registration import register_agent

__all__ = ["PydanticAIAgent", "register_agent"]
