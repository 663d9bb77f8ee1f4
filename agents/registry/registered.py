"""Which agents there are.

The catalogue of agent classes is shared and only grows; a registry with a manager lives for one execution.
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
    """Put an agent class in the catalogue.

    Raises:
        TypeError: its body yields; or `aliases` is no tuple of names.
        ValueError: its name is not legal, or taken by another agent; its `input_schema` is no JSON Schema; `on_loss`,
            `timeout` or `permission` is not one that can be.
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
    """Make `function(ctx, input)` an agent. Sync functions work too: they get a thread and a blocking context.

    Args:
        name: what clients call it.
        description: for people; default: the first line of the docstring.
        aliases: other names it answers to.
        input_schema: JSON Schema of `input`; what does not fit starts no run.
        on_loss: "retry" starts a new run when the worker dies in the middle of one; only for agents whose tools may
            run twice.
        timeout: seconds until the run fails with `timeout`.
        permission: a Django permission, `app.codename`. For users who do not have it there is no such agent.

    Raises:
        TypeError: it is not used on a function of two arguments, or without a name.
        ValueError: the name is not legal or taken; `input_schema` is no JSON Schema; `on_loss`, `timeout` or
            `permission` is not one that can be.
    """
    if not isinstance(name, str):
        raise TypeError('an agent has a name: write `@agent("name")`')

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

    A process that serves has done it before it was ready; here it is for scripts and tests. A module that cannot be
    imported takes only its own agents away: the log tells, the others run.
    """
    global _discovered
    discovery.import_all()
    if not _discovered:
        _discovered = True
        for module, why in discovery.causes().items():
            log.error("the agents of %s cannot be imported; they are not available: %s", module, why)


def find(name: str) -> type[BaseAgent]:
    """The agent class of this name or alias.

    Raises:
        UnknownAgentError: there is none.
    """
    discover()
    found = _classes.get(name)
    if found is None:
        raise unknown(name)
    return found


def unknown(name: str) -> UnknownAgentError:
    """What is raised where there is no agent of this name, and where the user must not know that there is one."""
    return UnknownAgentError(f"No agent is called {name!r:.140}.", field="agent_type")


def catalogue() -> list[type[BaseAgent]]:
    """Every agent, by name."""
    discover()
    return sorted(set(_classes.values()), key=lambda kind: kind.name)


class AgentRegistry:
    """Makes agents that emit through one manager."""

    def __init__(self) -> None:
        self.websocket_manager: WebSocketManagerProtocol | None = None

    def set_websocket_manager(self, manager: WebSocketManagerProtocol) -> None:
        """Use this manager for the agents made from now on.

        Raises:
            ProtocolComplianceError: it does not follow `WebSocketManagerProtocol`.
        """
        WebSocketManagerProtocolValidator.require_protocol_compliance(manager)
        self.websocket_manager = manager

    def create_agent(self, agent_type: str) -> BaseAgent:
        """An agent of this name or alias.

        Raises:
            UnknownAgentError: there is none (a `LookupError`).
        """
        return find(agent_type)(self.websocket_manager)

    def list_agents(self) -> list[str]:
        """Names of all agents."""
        return [kind.name for kind in catalogue()]
