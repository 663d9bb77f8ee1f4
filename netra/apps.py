"""Netra as a Django app, so that its commands, templates, static files and checks are found."""

from __future__ import annotations

import sys
from typing import Any

from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured


class NetraConfig(AppConfig):
    """Console, HTTP API, admin pages and commands, for any Django project."""

    name = "netra"
    verbose_name = "Netra"

    def import_models(self) -> None:
        """See Django. Without the app of the runs it would fail with a sentence about app labels.

        Raises:
            ImproperlyConfigured: an app is missing.
        """
        if self.apps is not None and "netra_agents" not in self.apps.app_configs:
            raise ImproperlyConfigured('Add "netra.agents" and "websocket_core" to INSTALLED_APPS: netra needs them.')
        super().import_models()

    def ready(self) -> None:
        """Register the checks, and keep credentials out of the log of a server that is loaded already."""
        # Models can be imported from now on, not before.
        from netra import checks  # noqa: F401 - registering is the import's effect
        from netra.agents.follow_up.facts import describe_runs_by

        describe_runs_by(_told_of)

        if "daphne.access" in sys.modules:  # for plain `daphne`, which loads the site; `serve` does it itself
            from netra.logs import access_log

            access_log.guard()


def _told_of(row: Any) -> Any:
    from netra.site.runs import told_of  # a process without receivers should not wait for it

    return told_of(row)
