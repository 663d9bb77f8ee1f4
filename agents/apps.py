"""Agents and their runs as a Django app."""

from __future__ import annotations

from django.apps import AppConfig


class AgentsConfig(AppConfig):
    """Agents are found when the registry is first asked, not here: importing them may be slow."""

    name = "agents"
    default_auto_field = "django.db.models.BigAutoField"
