"""Which agents there are.

Read `registered.py` first: `@agent`, the catalogue, and the registry that makes agents for one execution.
`discovery.py` imports the modules that have agents, `names.py` has which class has which name.
Everybody who needs an agent by its name comes in.
"""

from __future__ import annotations

from netra.agents.registry.registered import AgentRegistry, agent, catalogue, discover, find, register, unknown

__all__ = ["AgentRegistry", "agent", "catalogue", "discover", "find", "register", "unknown"]
