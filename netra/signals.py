"""Signals for a site's own code: `run_started`, `run_finished`, `approval_requested`, `approval_resolved`.

    @receiver(run_finished)
    def bill(run, **kwargs): ...

They are sent after the commit, in a separate thread; see docs/howto/usage-and-billing.md. `run_finished` is sent at
least once for each run, the others at most once.
"""

from __future__ import annotations

from netra.agents.follow_up.signals import approval_requested, approval_resolved, run_finished, run_started

__all__ = ["approval_requested", "approval_resolved", "run_finished", "run_started"]
