"""LangGraph graphs in Netra, one line for each graph.

from agents.adapters.langgraph import register_graph

register_graph("planner", my_graph, description="Plans a journey")
"""

from __future__ import annotations

try:
    import langgraph.graph as _  # noqa: F401
except ImportError as error:
    raise ImportError(
        "agents.adapters.langgraph needs LangGraph; install it into this environment: python -m pip install 'langgraph'"
    ) from error

from agents.adapters.langgraph.adapted_graph import LangGraphAgent
from agents.adapters.langgraph.registration import register_graph

__all__ = ["LangGraphAgent", "register_graph"]
