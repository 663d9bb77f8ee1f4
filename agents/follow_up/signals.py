"""The signals. All are sent with `run`; those of approvals also with `approval` (`netra.agents.follow_up.facts`)."""

from __future__ import annotations

from django.dispatch import Signal

run_started = Signal()
run_finished = Signal()
approval_requested = Signal()
approval_resolved = Signal()
