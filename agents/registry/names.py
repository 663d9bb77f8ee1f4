"""The agent class of each name. Shared by the whole process; names are only added.

Below the registry, which finds agents by name, and below the discovery, which checks whether a module registered any.
"""

from __future__ import annotations

import threading

from netra.agents.base import BaseAgent
from websocket_core.ids import NAME_RULE, is_name

classes: dict[str, type[BaseAgent]] = {}  # by canonical names and aliases
_lock = threading.RLock()


def take_names(agent_class: type[BaseAgent]) -> None:
    """Give this class its name and its aliases.

    Raises:
        ValueError: one of them is invalid, or another agent has it.
    """
    with _lock:
        for name in (agent_class.name, *agent_class.aliases):
            if not is_name(name):
                raise ValueError(f"{name!r} is not a valid agent name: {NAME_RULE}")
            known = classes.get(name)
            if known is not None and (known.__module__, known.__qualname__) != (
                agent_class.__module__,
                agent_class.__qualname__,
            ):
                raise ValueError(f"the agent name {name!r} is taken by {known.__module__}; choose another one")
            classes[name] = agent_class
