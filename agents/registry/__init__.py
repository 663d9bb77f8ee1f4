"""The registry of agents.

Read `registered.py` first: `@agent`, the catalogue, and the registry that creates agents for one execution.
`discovery.py` imports the modules that define agents, and `names.py` maps names to classes. Any room may import this
one.
"""

from __future__ import annotations

from netra.agents.registry.registered import AgentRegistry, agent, catalogue, discover, find, register, unknown

__all__ = ["AgentRegistry", "agent", "catalogue", "discover", "find", "register", "unknown"]
