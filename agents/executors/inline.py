"""Executes runs as tasks of the process that recorded them. Needs no set-up."""

from __future__ import annotations

from django.core.checks import CheckMessage

from netra.agents.models import Run


class InlineExecutor:
    """Executes a run where it was started. The sweeper takes over what another process left behind."""

    claims_at_start = True
    supports_transactional_enqueue = True

    def enqueue(self, run: Run, *, again: bool = False) -> None:
        """Do nothing: the run's row is enough for whoever frees the thread, or for the sweeper."""

    def check(self) -> list[CheckMessage]:
        """No requirements."""
        return []
