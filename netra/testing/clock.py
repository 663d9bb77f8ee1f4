"""The time that people take, passed at once.

Only what is recorded in the database has a time that can be moved: the end of an approval. An agent's own timeout is a
real timer; a test sets a short `timeout` or `NETRA_AGENT_TIMEOUT`.
"""

from __future__ import annotations

from datetime import timedelta

from django.db.models import F

from netra.agents.models import Approval
from netra.agents.service import get_runtime
from websocket_core.database import db


class Clock:
    """Lets time pass for the approvals that are open."""

    async def advance(self, *, hours: float = 0, seconds: float = 0) -> None:
        """Let so much time pass, and void the questions whose time is over, as the sweeper does."""
        await db.write(_bring_nearer, timedelta(hours=hours, seconds=seconds))
        await get_runtime().sweeper.sweep()


def _bring_nearer(time: timedelta) -> None:
    Approval.objects.filter(decision=None).update(expires_at=F("expires_at") - time)
