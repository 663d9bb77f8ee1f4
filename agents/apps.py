"""Agents and their runs as a Django app."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured

from websocket_core.process.lifecycle import lifecycle


class AgentsConfig(AppConfig):
    """Agents are found when the registry is first asked, not here: importing them may be slow."""

    name = "netra.agents"
    label = "netra_agents"
    verbose_name = "Netra agents"
    default_auto_field = "django.db.models.BigAutoField"

    def import_models(self) -> None:
        """See Django. Without the app of the threads it would fail with a sentence about app labels.

        Raises:
            ImproperlyConfigured: an app is missing.
        """
        if self.apps is not None and "websocket_core" not in self.apps.app_configs:
            raise ImproperlyConfigured('Add "websocket_core" to INSTALLED_APPS: netra.agents needs it.')
        super().import_models()

    def ready(self) -> None:
        """Register the checks, what retention does, and what every serving process does."""
        # Models can be imported from now on, not before.
        from netra.agents import checks  # noqa: F401 - registering is the import's effect
        from netra.agents.ledger import retention

        retention.install()
        lifecycle.on_serve(_serve_runs)


def _serve_runs() -> None:
    from netra.agents.service import get_runtime  # the machinery of runs; a command may never need it

    get_runtime().serve()
