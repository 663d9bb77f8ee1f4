"""The same agents, registered with Netra."""

from benchmarks.agent_peers.graph import graph
from benchmarks.agent_peers.model import agent
from netra.agents.adapters.langgraph import register_graph
from netra.agents.adapters.pydantic_ai import register_agent

register_graph("graph", graph)
register_agent("model", agent)
