"""Registers agents and creates them.

The catalogue of agent classes is shared and only grows. A registry with a manager lives for one execution.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from netra.agents.authoring.input_schemas import schema_of
from netra.agents.base import BaseAgent, Body, OnLoss, check_class, make_agent
from netra.agents.errors import UnknownAgentError
from netra.agents.registry import discovery
from netra.agents.registry.names import classes as _classes
from netra.agents.registry.names import take_names
from websocket_core.protocols import WebSocketManagerProtocol, WebSocketManagerProtocolValidator

log = logging.getLogger(__name__)

F = TypeVar("F", bound=Body)
_discovered = False


def register(agent_class: type[BaseAgent]) -> type[BaseAgent]:
    """Add an agent class to the catalogue.

    Raises:
        TypeError: its body yields, or `aliases` is not a tuple of names.
        ValueError: its name is invalid or taken by another agent, its `input_schema` is not a JSON Schema, or
            `on_loss`, `timeout` or `permission` is invalid.
    """
    check_class(agent_class)
    schema_of(agent_class)
    take_names(agent_class)
    return agent_class


def agent(
    name: str,
    *,
    description: str = "",
    aliases: tuple[str, ...] = (),
    input_schema: dict[str, Any] | None = None,
    on_loss: OnLoss = "fail",
    timeout: float | None = None,
    permission: str = "",
) -> Callable[[F], F]:
    """Make `function(ctx, input)` an agent. A sync function runs in a thread, with a blocking context.

    Args:
        name: the name that clients use.
        description: for people; by default, the first line of the docstring.
        aliases: other names of the agent.
        input_schema: JSON Schema of `input`. An invalid input starts no run.
        on_loss: "retry" starts a new run if the worker dies during one. Only for agents whose tools may run twice.
        timeout: seconds until the run fails with `timeout`.
        permission: a Django permission, `app.codename`. For users without it, the agent does not exist.

    Raises:
        TypeError: it is not used on a function of two arguments, or without a name.
        ValueError: the name is invalid or taken, `input_schema` is not a JSON Schema, or `on_loss`, `timeout` or
            `permission` is invalid.
    """
    if not isinstance(name, str):
        raise TypeError('an agent needs a name: write `@agent("name")`')

    def decorate(function: F) -> F:
        register(
            make_agent(
                function,
                name=name,
                description=description,
                aliases=aliases,
                input_schema=input_schema,
                on_loss=on_loss,
                timeout=timeout,
                permission=permission,
            )
        )
        return function

    return decorate


def discover() -> None:
    """Import every installed app's `agents.py` and the modules of `NETRA_AGENT_MODULES`, once.

    A serving process does this before it is ready; this call is for scripts and tests. If a module cannot be imported,
    the error is logged, and only its own agents are missing.
    """
    global _discovered
    discovery.import_all()
    if not _discovered:
        _discovered = True
        for module, why in discovery.causes().items():
            log.error("the agents of %s cannot be imported; they are not available: %s", module, why)


def find(name: str) -> type[BaseAgent]:
    """The agent class with this name or alias.

    Raises:
        UnknownAgentError: there is none.
    """
    discover()
    found = _classes.get(name)
    if found is None:
        raise unknown(name)
    return found


def unknown(name: str) -> UnknownAgentError:
    """The error for a name that no agent has, and for an agent that the user may not know of."""
    return UnknownAgentError(f"No agent is called {name!r:.140}.", field="agent_type")


def catalogue() -> list[type[BaseAgent]]:
    """Every agent, by name."""
    discover()
    return sorted(set(_classes.values()), key=lambda kind: kind.name)


class AgentRegistry:
    """Creates agents that emit through one manager."""

    def __init__(self) -> None:
        self.websocket_manager: WebSocketManagerProtocol | None = None

    def set_websocket_manager(self, manager: WebSocketManagerProtocol) -> None:
        """Use this manager for the agents created from now on.

        Raises:
            ProtocolComplianceError: it does not follow `WebSocketManagerProtocol`.
        """
        WebSocketManagerProtocolValidator.require_protocol_compliance(manager)
        self.websocket_manager = manager

    def create_agent(self, agent_type: str) -> BaseAgent:
        """Create the agent with this name or alias.

        Raises:
            UnknownAgentError: there is none (a `LookupError`).
        """
        return find(agent_type)(self.websocket_manager)

    def list_agents(self) -> list[str]:
        """The names of all agents."""
        return [kind.name for kind in catalogue()]
