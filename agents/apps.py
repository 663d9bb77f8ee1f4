"""Agents and their runs as a Django app."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured

from websocket_core.process.lifecycle import lifecycle


class AgentsConfig(AppConfig):
    """Registers checks, retention and the work of serving processes.

    Agents are imported when the registry is first used, not here, because importing them may be slow.
    """

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
        """Register the checks, the retention of runs, and the work of every serving process."""
        # Models can be imported from here on, not earlier.
        from netra.agents import checks  # noqa: F401 - registering is the import's effect
        from netra.agents.ledger import retention

        retention.install()
        lifecycle.on_serve(_serve_runs)


def _serve_runs() -> None:
    from netra.agents.service import get_runtime  # imported late: most commands never need it

    get_runtime().serve()
