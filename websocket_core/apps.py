"""The delivery core as a Django app."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.backends.signals import connection_created


class WebsocketCoreConfig(AppConfig):
    """Registers the system checks and what ends credentials."""

    name = "websocket_core"
    verbose_name = "Netra delivery"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks, and see to connections of threads that end."""
        # Models can be imported from now on, not before.
        from websocket_core.auth import receivers
        from websocket_core.checks import installation  # noqa: F401 - registering is the import's effect
        from websocket_core.database import lost_connections

        receivers.connect()
        connection_created.connect(lost_connections.watch, dispatch_uid="netra-lost-connections")
