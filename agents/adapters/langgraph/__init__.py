"""LangGraph graphs in Netra, in one line per graph.

from netra.agents.adapters.langgraph import register_graph

register_graph("planner", my_graph, description="Plans a journey")
"""

from __future__ import annotations

try:
    import langgraph.graph as _  # noqa: F401
except ImportError as error:
    raise ImportError(
        "netra.agents.adapters.langgraph needs LangGraph; install it into this environment: "
        "python -m pip install 'langgraph'"
    ) from error

from netra.agents.adapters.langgraph.adapted_graph import LangGraphAgent
from netra.agents.adapters.langgraph.registration import register_graph

__all__ = ["LangGraphAgent", "register_graph"]
