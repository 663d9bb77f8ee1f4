"""Agents and their runs as a Django app."""

from __future__ import annotations

from django.apps import AppConfig


class AgentsConfig(AppConfig):
    """Agents are found when the registry is first asked, not here: importing them may be slow."""

    name = "agents"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks, what retention does, and the workers' task where there are workers."""
        from agents import (
            checks,  # noqa: F401 - registering is the import's effect; models must be loaded
            retention,
        )
        from agents.conf import EXECUTORS, conf
        from agents.executors import get_executor

        retention.install()
        if conf.EXECUTOR in EXECUTORS:  # else E003 tells, which needs the app to be ready
            get_executor()
