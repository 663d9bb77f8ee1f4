"""Refuses agents that could be registered but would fail in every run, with the reason and the remedy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import PydanticUserError
from pydantic_ai.agent import AbstractAgent
from pydantic_ai.exceptions import UserError

from netra.agents.adapters.pydantic_ai import output_types

# Runs every agent as a workflow whose arguments it pickles. The hooks that emit events and stop runs cannot be pickled.
_PICKLING = "pydantic_ai.durable_exec.dbos"


def check_runs(name: str, agent: AbstractAgent[Any, Any], options: Mapping[str, Any]) -> None:
    """Refuse an agent whose runs could never succeed.

    Raises:
        ValueError: with the reason and the remedy.
    """
    kinds = [kind for one in output_types.wrapped_agents(agent) for kind in type(one).__mro__]
    if any(kind.__module__.startswith(f"{_PICKLING}.") for kind in kinds):
        raise ValueError(
            f"agent {name} is a DBOSAgent, which pickles the arguments of a run; Netra's hooks cannot be pickled. "
            "Register the agent that it wraps: Netra keeps its runs in the journal"
        )
    if agent.model is None and options.get("model") is None and agent.root_capability.get_model() is None:
        raise ValueError(f"agent {name} has no model: give it one, Agent('openai:…'), or register_agent(…, model='…')")
    given = options.get("output_type")
    if given is not None:
        _check_output(name, agent, given)
    elif output_types.has_validators(agent) and not output_types.can_defer(agent):
        asking = output_types.asks(agent)
        if asking:
            raise ValueError(
                f"agent {name} has an output validator, so its output type cannot be extended, and tools that need "
                f"approval ({', '.join(asking)}): create it with output_type=[…, DeferredToolRequests]"
            )


def _check_output(name: str, agent: AbstractAgent[Any, Any], given: Any) -> None:
    if output_types.has_validators(agent):
        raise ValueError(
            f"agent {name} has an output validator, so it accepts no other output type: pass output_type to Agent(…)"
        )
    try:
        agent.output_json_schema(output_type=given)
    except (UserError, PydanticUserError, TypeError, ValueError) as error:
        raise ValueError(f"output_type of agent {name} cannot be used: {error}") from error
