"""The delivery core as a Django app."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.db.models.signals import pre_migrate


class WebsocketCoreConfig(AppConfig):
    """Registers the system checks and the receivers of signals."""

    name = "websocket_core"
    verbose_name = "Netra delivery"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks and the receivers."""
        # Models can be imported from here on, not earlier.
        from websocket_core.auth import receivers
        from websocket_core.checks import database, installation  # noqa: F401 - registering is the import's effect
        from websocket_core.database import home, lost_connections, old_layout
        from websocket_core.process import database_removal

        home.lead_home()
        receivers.connect()
        connection_created.connect(lost_connections.watch, dispatch_uid="netra-lost-connections")
        connection_created.connect(database_removal.release, dispatch_uid="netra-database-removal")
        pre_migrate.connect(old_layout.refuse_old_layout, sender=self, dispatch_uid="netra-old-layout")
