"""System checks of agents and their executor, which prevent the start if something cannot work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as CheckWarning
from django.core.exceptions import ImproperlyConfigured

from netra.agents.conf import conf
from netra.agents.executors import make_executor
from netra.agents.registry import discovery
from netra.agents.start_policy import load_policy
from netra.agents.usage.costs import load_cost
from websocket_core.conf import conf as delivery_conf


@register("netra")
def executor_fits(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """E003, and the checks of the executor itself (E001, E002)."""
    try:
        executor = make_executor()
    except ImproperlyConfigured as error:
        return [Error(str(error), hint="See docs/reference/settings.md.", id="netra_agents.E003")]
    return executor.check()


@register("netra")
def app_of_pages_is_installed(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """W002: Django finds neither the commands nor the pages of an app that is not installed."""
    if apps.is_installed("netra"):
        return []
    return [
        CheckWarning(
            "The app netra is not installed: manage.py serve, the console and the admin's front page are missing.",
            hint='Add "netra" to INSTALLED_APPS.',
            id="netra_agents.W002",
        )
    ]


@register("netra")
def functions_of_the_site_can_be_called(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """E006, E008: functions named by settings must be callable, or starts would be refused and costs missing."""
    found: list[CheckMessage] = []
    try:
        load_policy()
    except ImproperlyConfigured as error:
        found.append(Error(str(error), hint="Name a function of (user, agent_type, input).", id="netra_agents.E006"))
    try:
        load_cost()
    except ImproperlyConfigured as error:
        found.append(Error(str(error), hint="Name a function of a run.", id="netra_agents.E008"))
    return found


@register("netra")
def builtin_agents_are_said(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """E007: the setting must be a bool or `None`."""
    value: object = conf.BUILTIN_AGENTS
    if value is None or isinstance(value, bool):
        return []
    return [Error(f"NETRA_BUILTIN_AGENTS must be True or False; it is {value!r:.100}.", id="netra_agents.E007")]


@register("netra")
def heartbeats_fit(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """E005: leases and processes must not expire before the next heartbeat, or a worker would lose every run."""
    heartbeat = delivery_conf.HEARTBEAT_SECONDS
    bounds = {"NETRA_LEASE_SECONDS": conf.LEASE_SECONDS, "NETRA_PROCESS_TIMEOUT": delivery_conf.PROCESS_TIMEOUT}
    return [
        Error(
            f"NETRA_HEARTBEAT_SECONDS ({heartbeat:g}) must be less than {name} ({bound:g}).",
            hint="A third of it tolerates one late heartbeat.",
            id="netra_agents.E005",
        )
        for name, bound in bounds.items()
        if heartbeat >= bound
    ]


@register()  # not at the start of a server, which imports the modules on its loop; `/readyz` reports failures
def agents_can_be_imported(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """E004: every agent module must be importable. W001: a module of NETRA_AGENT_MODULES should register an agent."""
    failures = discovery.failures_without_a_loop()
    return [
        *(Error(failure, hint=discovery.REMEDY, id="netra_agents.E004") for failure in failures),
        *(
            CheckWarning(
                f"{module} is listed in NETRA_AGENT_MODULES but registers no agent.",
                hint="List the module that contains @agent, register_agent or register_graph.",
                id="netra_agents.W001",
            )
            for module in ([] if discovery.is_deferred() else discovery.without_agents())
        ),
    ]
