"""`manage.py new_epoch`: after a backup was restored, tell clients to begin anew."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from websocket_core.journal import epoch


class Command(BaseCommand):
    """Gives the journal a new epoch."""

    help = (
        "Gives the journal a new epoch: clients that come back forget what they have and read it anew. Run it after a "
        "backup was restored; on PostgreSQL most restores are noticed without it."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        made = epoch.settle(anew=True)
        self.stdout.write(
            f"The journal's epoch is {made}. Running servers close their sockets within seconds; clients come back."
        )
