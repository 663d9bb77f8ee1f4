"""The embedded project as Django apps: its pages and commands, and the admin with a front page of Netra's."""

from __future__ import annotations

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class ProjectConfig(AppConfig):
    """Registers the checks of the project's own settings."""

    name = "netra.project"
    label = "netra_project"
    verbose_name = "Netra project"
    default = True

    def ready(self) -> None:
        """Import the checks, which register themselves, and keep old sessions out of the database."""
        # Models can be imported from now on, not before.
        from django.contrib.sessions.models import Session

        from netra.project import checks  # noqa: F401 - registering is the import's effect
        from websocket_core.retention.pruning import Kind, register

        register(Kind("expired sessions", lambda before, ahead: Session.objects.filter(expire_date__lt=before)))


class NetraAdminConfig(AdminConfig):
    """Django's admin, with the site of `netra.admin_site` as the default one."""

    default = False
    default_site = "netra.admin_site.NetraAdminSite"
