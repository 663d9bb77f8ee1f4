"""The project as a Django app, so that its commands, templates, static files and checks are found."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class NetraConfig(AppConfig):
    """Registers the checks of the project's own settings."""

    name = "netra"
    verbose_name = "Netra"

    def ready(self) -> None:
        """Import the checks, which register themselves, keep credentials out of the access log, and old sessions out of
        the database.
        """
        from django.contrib.sessions.models import Session

        from netra import checks  # noqa: F401
        from netra.logs import access_log
        from websocket_core.journal.retention import Kind, register

        access_log.guard()
        register(Kind("expired sessions", lambda before, ahead: Session.objects.filter(expire_date__lt=before)))


class NetraAdminConfig(AdminConfig):
    """Django's admin, with the site of `netra.admin_site` as the default one."""

    default_site = "netra.admin_site.NetraAdminSite"
