"""Runs as tasks of the process that recorded them: nothing to set up, and nothing to wait for."""

from __future__ import annotations

from django.core.checks import CheckMessage

from netra.agents.models import Run


class InlineExecutor:
    """Executes where the run was started. What another process left behind is taken over by the sweeper."""

    claims_at_start = True
    supports_transactional_enqueue = True

    def enqueue(self, run: Run, *, again: bool = False) -> None:
        """Nothing to do: the row is enough, whoever frees the thread or sweeps takes it."""

    def check(self) -> list[CheckMessage]:
        """It needs nothing."""
        return []
