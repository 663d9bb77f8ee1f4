"""`manage.py new_epoch`: after a backup was restored, make clients start again."""

from __future__ import annotations

from typing import Any

from websocket_core.journal import epoch
from websocket_core.management.database_command import DatabaseCommand


class Command(DatabaseCommand):
    """Gives the journal a new epoch."""

    help = (
        "Gives the journal a new epoch: returning clients discard what they have and read it again. Run it after a "
        "backup was restored. On PostgreSQL, most restores are detected automatically."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        made = epoch.settle(anew=True)
        self.stdout.write(
            f"The journal's epoch is {made}. Running servers close their sockets within seconds, and clients reconnect."
        )
