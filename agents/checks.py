"""System checks of agents and their executor: what they cannot work with is refused at start."""

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
    """E003, and what the executor itself finds (E001, E002)."""
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
    """E006: every start would be refused; and E008: no run would get its cost."""
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
    """E007."""
    value: object = conf.BUILTIN_AGENTS
    if value is None or isinstance(value, bool):
        return []
    return [Error(f"NETRA_BUILTIN_AGENTS must be True or False; it is {value!r:.100}.", id="netra_agents.E007")]


@register("netra")
def heartbeats_fit(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """E005: a lease, or a process, that ends before its next heartbeat takes every run from its worker."""
    heartbeat = delivery_conf.HEARTBEAT_SECONDS
    bounds = {"NETRA_LEASE_SECONDS": conf.LEASE_SECONDS, "NETRA_PROCESS_TIMEOUT": delivery_conf.PROCESS_TIMEOUT}
    return [
        Error(
            f"NETRA_HEARTBEAT_SECONDS ({heartbeat:g}) must be less than {name} ({bound:g}).",
            hint="A third of it leaves room for one heartbeat that comes late.",
            id="netra_agents.E005",
        )
        for name, bound in bounds.items()
        if heartbeat >= bound
    ]


@register()  # not at the start of every server: its modules are imported on its loop, and `/readyz` tells
def agents_can_be_imported(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """E004, W001."""
    failures = discovery.failures_without_a_loop()
    return [
        *(Error(failure, hint=discovery.REMEDY, id="netra_agents.E004") for failure in failures),
        *(
            CheckWarning(
                f"{module} is named in NETRA_AGENT_MODULES and registers no agent.",
                hint="Name the module that has @agent, register_agent or register_graph in it.",
                id="netra_agents.W001",
            )
            for module in ([] if discovery.is_deferred() else discovery.without_agents())
        ),
    ]
