"""The same agents, registered with Netra."""

from agents.adapters.langgraph import register_graph
from agents.adapters.pydantic_ai import register_agent
from benchmarks.agent_peers.graph import graph
from benchmarks.agent_peers.model import agent

register_graph("graph", graph)
register_agent("model", agent)
